/** Which sites a person or application sees, and what it is called: granted anew or changed. */
import { Field, Input } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { SitePicker } from "../../ui/sites";

/** In place of an object id: one that is still to be typed. */
export const NEW = "new";
const ID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** What is granted to an object id, and the ETag to change it with; asked once the id is whole. */
function useGrant(id: string) {
  const { api } = useSession();
  return useQuery({
    queryKey: ["access", id],
    queryFn: async ({ signal }) => {
      const params = { path: { principal_id: id } };
      const { data, response } = await api.GET("/api/access/{principal_id}", { params, signal });
      return { name: data?.name ?? "", siteIds: data?.siteIds ?? [], etag: response.headers.get("ETag") };
    },
    enabled: ID.test(id),
  });
}

export function GrantDialog({ principal, close }: { principal: string; close: () => void }) {
  const { api } = useSession();
  const isNew = principal === NEW;
  const [typed, setTyped] = useState(isNew ? "" : principal);
  const [name, setName] = useState<string>();
  const [sites, setSites] = useState<string[]>();
  const id = typed.trim().toLowerCase();
  const wrong = id !== "" && !ID.test(id);
  const grant = useGrant(id);
  const siteIds = grant.data?.siteIds ?? [];
  const called = name ?? grant.data?.name ?? "";
  const value = sites ?? siteIds;
  const added = value.filter((one) => !siteIds.includes(one)).length;
  const taken = siteIds.filter((one) => !value.includes(one)).length;
  const changed = added + taken > 0 || called.trim() !== (grant.data?.name ?? "");
  return (
    <Ask
      title={isNew ? "Grant sites" : `Sites of ${grant.data?.name || principal}`}
      verb="Save"
      why
      done="What it sees is saved"
      close={close}
      wanting={grant.data && changed ? undefined : wantingOf(id, wrong, grant.data !== undefined)}
      run={({ why }) =>
        api.PUT("/api/access/{principal_id}", {
          params: { path: { principal_id: id } },
          headers: grant.data?.etag ? { "If-Match": grant.data.etag } : {},
          body: { ...why, siteIds: value, ...(called.trim() && { name: called.trim() }) },
        })
      }
    >
      {isNew && (
        <Field
          label="Object id of a person or application"
          required
          hint="In the Microsoft Entra admin center: Users, or Enterprise applications."
          validationMessage={wrong ? "An object id looks like 00000000-0000-0000-0000-000000000000." : null}
        >
          <Input value={typed} maxLength={36} onChange={(_, data) => setTyped(data.value)} />
        </Field>
      )}
      {grant.error && <Failure error={grant.error} retry={() => void grant.refetch()} />}
      {grant.isFetching && !grant.data && <Loading label="Reading what is granted" />}
      {grant.data && (
        <>
          <Field label="Name" hint="What this list calls it.">
            <Input value={called} maxLength={200} onChange={(_, data) => setName(data.value)} />
          </Field>
          <SitePicker label="Sites that it sees" value={value} onChange={setSites} />
          <div>
            {`${added} granted, ${taken} taken away. It holds from its next request on; what it has begun goes on.`}
          </div>
        </>
      )}
    </Ask>
  );
}

function wantingOf(id: string, wrong: boolean, read: boolean): string {
  if (id === "" || wrong) return "Its object id is needed first.";
  return read ? "Nothing is changed yet." : "What is granted is not read yet.";
}
