/** Step 6: which site each synced tenant stands for, with a suggestion wherever a name agrees. */
import { Button, Field, Input, makeStyles, SearchBox, Switch, Text, tokens } from "@fluentui/react-components";
import { ArrowUploadRegular } from "@fluentui/react-icons";
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { newKey } from "../../../api/client";
import { useSession } from "../../../session";
import { Empty } from "../../../ui/Empty";
import { Failure } from "../../../ui/Failure";
import { Loading } from "../../../ui/Loading";
import { useOnce } from "../../../ui/useOnce";
import { fileOf, importFile } from "../../sites/csv";
import { ImportDialog } from "../../sites/ImportDialog";
import { ImportResult } from "../../sites/ImportResult";
import { siteName } from "../../sites/SiteDialog";
import type { Choice } from "../../sites/SitePicker";
import { suggest } from "../../sites/suggest";
import { useEverySite, useEveryTenant } from "../../tenants/every";
import type { Connection } from "../state";
import { MappingRow } from "./MappingRow";
import { MOVED } from "./order";
import { StepFrame } from "./StepFrame";

const PAGE = 50;
const useStyles = makeStyles({
  bar: { display: "flex", flexWrap: "wrap", alignItems: "end", gap: tokens.spacingHorizontalM },
  line: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalS },
  list: { listStyleType: "none", margin: 0, padding: 0, borderTop: `1px solid ${tokens.colorNeutralStroke2}` },
  more: { alignSelf: "start" },
});

/** A site that would be mapped twice: importing it would take it away from another tenant. */
function clashOf(wanted: readonly string[], mapped: readonly string[]): string | undefined {
  const seen = new Set(mapped.map((name) => name.toLowerCase()));
  return wanted.find((name) => seen.size === seen.add(name.toLowerCase()).size);
}

export function SitesStep({ connection }: { connection: Connection }) {
  const styles = useStyles();
  const { api } = useSession();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const tenants = useEveryTenant(connection.id);
  const sites = useEverySite();
  const [chosen, setChosen] = useState<Readonly<Record<string, Choice>>>({});
  const [place, setPlace] = useState("Head office");
  const [part, setPart] = useState("");
  const [onlyOpen, setOnlyOpen] = useState(false);
  const [shown, setShown] = useState(PAGE);
  const [importing, setImporting] = useState(false);

  const synced = useMemo(() => tenants.data?.filter((one) => one.status === "synced") ?? [], [tenants.data]);
  const mapped = useMemo(() => {
    const found = new Map<string, string[]>();
    for (const site of sites.data ?? []) {
      if (site.tenantId) {
        found.set(site.tenantId, [...(found.get(site.tenantId) ?? []), siteName(site)]);
      }
    }
    return found;
  }, [sites.data]);
  const free = useMemo(() => sites.data?.filter((site) => !site.tenantId) ?? [], [sites.data]);
  const open = useMemo(() => synced.filter((one) => !mapped.has(one.id)), [synced, mapped]);
  const suggested = useMemo(() => suggest(open, free), [open, free]);
  const choiceOf = (id: string): Choice => {
    const own = chosen[id];
    if (own) return own;
    const site = suggested.get(id);
    if (site) return { kind: "site", id: site };
    // Where there is no site at all yet, nothing could be meant but a new one.
    return free.length === 0 && mapped.size === 0 ? { kind: "new" } : { kind: "none" };
  };
  const ready = open.filter((one) => choiceOf(one.id).kind !== "none");
  const left = open.length - ready.length;

  const lines = ready.map((tenant) => {
    const choice = choiceOf(tenant.id);
    const site = choice.kind === "site" ? free.find((one) => one.id === choice.id) : undefined;
    return { client: site?.clientName ?? tenant.displayName, site: site?.siteName ?? place.trim(), tenant: tenant.id };
  });
  const clash = clashOf(
    lines.map((line) => siteName({ clientName: line.client, siteName: line.site })),
    (sites.data ?? []).filter((site) => site.tenantId).map(siteName),
  );
  const twice = clash && `${clash} would stand for two tenants. Choose another site for one of them.`;
  const taken = new Set(ready.map((one) => choiceOf(one.id)).map((choice) => choice.kind === "site" && choice.id));
  const freeFor = (id: string) => {
    const own = choiceOf(id);
    return free.filter((site) => !taken.has(site.id) || (own.kind === "site" && own.id === site.id));
  };

  const save = useOnce({
    // One call for all: what exists is mapped, what does not is made and mapped.
    mutationFn: () => (lines.length > 0 ? importFile(api, fileOf(lines), newKey()) : Promise.resolve([])),
    onSuccess: async (rows) => {
      await queries.invalidateQueries({ queryKey: ["list"] });
      if (rows.every((row) => row.result !== "failed")) void navigate({ search: "?step=confirm" }, MOVED);
    },
  });
  const matching = (onlyOpen ? open : synced).filter((one) =>
    `${one.displayName} ${one.defaultDomain}`.toLowerCase().includes(part.toLowerCase()),
  );
  const error = tenants.error ?? sites.error;
  const loading = tenants.isPending || sites.isPending;
  const failed = save.data?.filter((row) => row.result === "failed") ?? [];
  return (
    <StepFrame
      step="sites"
      title="Map sites"
      text="A site is one place of a client, as your tickets and technicians know it. Devices of a tenant appear under the site that it is mapped to, and people see the sites that they are granted."
      next={ready.length > 0 ? "Save and proceed" : "Next"}
      onNext={() => save.mutate()}
      busy={save.isPending || loading}
      wanting={ready.length > 0 && !place.trim() ? "Say what new sites are called." : twice}
    >
      {error && <Failure error={error} />}
      {loading && !error && <Loading label="Reading tenants and sites" />}
      {!loading && !error && synced.length === 0 && (
        <Empty title="No tenant is synced yet">Go back a step, and sync one.</Empty>
      )}
      {!loading && synced.length > 0 && (
        <>
          <div className={styles.bar}>
            <SearchBox
              aria-label="Find a customer"
              placeholder="Find a customer"
              value={part}
              onChange={(_, data) => setPart(data.value)}
            />
            <Switch
              label="Only those not mapped"
              checked={onlyOpen}
              onChange={(_, data) => setOnlyOpen(data.checked)}
            />
            <Field label="New sites are called">
              <Input value={place} maxLength={100} onChange={(_, data) => setPlace(data.value)} />
            </Field>
          </div>
          <div className={styles.line}>
            <Text role="status">
              {`${mapped.size === 0 ? "None" : (synced.length - open.length).toLocaleString()} of ${synced.length.toLocaleString()} synced tenants mapped, ${ready.length.toLocaleString()} chosen, ${left.toLocaleString()} left out.`}
            </Text>
            {left > 0 && (
              <Button
                size="small"
                onClick={() => {
                  const rest = open.filter((one) => choiceOf(one.id).kind === "none");
                  const fresh = rest.map((one): [string, Choice] => [one.id, { kind: "new" }]);
                  setChosen({ ...chosen, ...Object.fromEntries(fresh) });
                }}
              >
                {left === 1 ? "A new site for the one left" : `New sites for the ${left.toLocaleString()} left`}
              </Button>
            )}
            <Button size="small" icon={<ArrowUploadRegular />} onClick={() => setImporting(true)}>
              Import sites
            </Button>
          </div>
          <ul className={styles.list} aria-label="Tenants and their sites">
            {matching.slice(0, shown).map((tenant) => (
              <MappingRow
                key={tenant.id}
                tenant={tenant}
                sites={mapped.get(tenant.id)}
                choice={choiceOf(tenant.id)}
                isSuggested={chosen[tenant.id] === undefined && suggested.has(tenant.id)}
                free={freeFor(tenant.id)}
                newName={`${tenant.displayName}, ${place.trim()}`}
                onChange={(choice) => setChosen({ ...chosen, [tenant.id]: choice })}
              />
            ))}
          </ul>
          {matching.length > shown && (
            <Button className={styles.more} onClick={() => setShown(shown + PAGE)}>
              {`Show ${Math.min(PAGE, matching.length - shown)} more of ${(matching.length - shown).toLocaleString()}`}
            </Button>
          )}
        </>
      )}
      {twice && <Text role="status">{twice}</Text>}
      {save.error && <Failure error={save.error} />}
      {failed.length > 0 && <ImportResult rows={failed} />}
      {importing && <ImportDialog close={() => setImporting(false)} />}
    </StepFrame>
  );
}
