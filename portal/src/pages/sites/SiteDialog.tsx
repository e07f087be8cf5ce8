/** Making a site, or renaming one. */
import { Field, Input } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Api } from "../../api/client";
import { ApiError, asApiError } from "../../api/errors";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Failure } from "../../ui/Failure";
import { fileOf, importFile } from "./csv";
import { TenantPicker } from "./TenantPicker";

type Site = components["schemas"]["Site"];

/** What people call a site. */
export function siteName(site: Pick<Site, "clientName" | "siteName">): string {
  return `${site.clientName}, ${site.siteName}`;
}

export function NewSiteDialog({ close }: { close: () => void }) {
  const { api } = useSession();
  const [client, setClient] = useState("");
  const [site, setSite] = useState("");
  const [tenant, setTenant] = useState<string>();
  return (
    <Ask
      title="New site"
      verb="Create"
      done="The site is made"
      wanting={client.trim() && site.trim() ? undefined : "Give the client and the site a name."}
      close={close}
      run={async ({ key }) => {
        // A file of one row: the API then chooses a free id, and never changes a site that is there.
        const [row] = await importFile(api, fileOf([{ client: client.trim(), site: site.trim(), tenant: "" }]), key);
        if (row?.result === "failed") throw new ApiError(400, "notCreated", row.error ?? "The site was not made.");
        if (row?.result !== "created") throw new ApiError(400, "siteExists", "There is a site of this name already.");
        if (tenant) await map(api, row.siteId ?? "", tenant);
      }}
    >
      <Names client={client} site={site} setClient={setClient} setSite={setSite} />
      <TenantPicker value={tenant} onChange={setTenant} hint="Can be mapped later." />
    </Ask>
  );
}

/** Map a site that was just made. Throws ApiError that says that it was made. */
async function map(api: Api, id: string, tenantId: string): Promise<void> {
  try {
    await api.PUT("/api/sites/{site_id}/mapping", { params: { path: { site_id: id } }, body: { tenantId } });
  } catch (error) {
    const { status, code, message } = asApiError(error);
    throw new ApiError(status, code, `The site is made, but not mapped. ${message}`);
  }
}

export function RenameDialog({ site, close }: { site: Site; close: () => void }) {
  const { api } = useSession();
  const [client, setClient] = useState(site.clientName);
  const [name, setName] = useState(site.siteName);
  const present = useSite(site.id);
  return (
    <Ask
      title={`Rename ${siteName(site)}`}
      verb="Rename"
      done="The site is renamed"
      wanting={present.data && client.trim() && name.trim() ? undefined : "Give the client and the site a name."}
      close={close}
      run={() =>
        api.PUT("/api/sites/{site_id}", {
          params: { path: { site_id: site.id } },
          body: { clientName: client.trim(), siteName: name.trim() },
          headers: { "If-Match": present.data ?? "*" },
        })
      }
    >
      <Names client={client} site={name} setClient={setClient} setSite={setName} />
      {present.error && <Failure error={present.error} />}
      <div>{`Its id stays ${site.id}, and so do its mapping and the grants on it.`}</div>
    </Ask>
  );
}

/** The version of a site that is being changed: somebody else's change is then not overwritten. */
export function useSite(id: string) {
  const { api } = useSession();
  return useQuery({
    queryKey: ["site", id],
    queryFn: async ({ signal }) => {
      const { response } = await api.GET("/api/sites/{site_id}", { params: { path: { site_id: id } }, signal });
      return response.headers.get("ETag") ?? "*";
    },
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
}

function Names(props: {
  client: string;
  site: string;
  setClient: (name: string) => void;
  setSite: (name: string) => void;
}) {
  return (
    <>
      <Field label="Client" hint="The company, as your tickets name it." required>
        <Input value={props.client} maxLength={200} onChange={(_, data) => props.setClient(data.value)} />
      </Field>
      <Field label="Site" hint="Such as Head office." required>
        <Input value={props.site} maxLength={200} onChange={(_, data) => props.setSite(data.value)} />
      </Field>
    </>
  );
}
