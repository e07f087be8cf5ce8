/** Tenants and subscriptions that could not be synchronized or read: why, what to do, and how old their data is. */
import { makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";
import { AppLink } from "../../ui/AppLink";
import { Linked } from "../../ui/Checks";
import { Failure } from "../../ui/Failure";
import { Time } from "../../ui/time";
import { REFRESH } from "./data";
import { type Failing, failures } from "./failures";

const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalS, alignContent: "start" },
  list: { listStyleType: "none", margin: 0, padding: 0, display: "grid" },
  item: {
    display: "grid",
    gap: tokens.spacingVerticalXXS,
    padding: `${tokens.spacingVerticalS} 0`,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
    overflowWrap: "anywhere",
  },
  head: { display: "flex", flexWrap: "wrap", columnGap: tokens.spacingHorizontalM, alignItems: "baseline" },
  quiet: { color: tokens.colorNeutralForeground3 },
});
const SHOWN = 8;

/** Nothing is drawn where nothing fails. */
export function FailingTenants({ failing }: { failing: readonly Failing[] }) {
  const styles = useStyles();
  const { api } = useSession();
  const tenants = useQuery({
    queryKey: ["tenants", "failed"],
    queryFn: async ({ signal }) => {
      const query = { status: ["failed" as const], $top: 1000 };
      return (await api.GET("/api/tenants", { params: { query }, signal })).data?.value ?? [];
    },
    refetchInterval: REFRESH,
  });
  const found = failures(tenants.data ?? [], failing);
  if (found.length === 0 && !tenants.error) return null;
  return (
    <section className={styles.root}>
      <Subtitle2 as="h2">{found.length > 0 ? `Cannot be read (${found.length})` : "Cannot be read"}</Subtitle2>
      {tenants.error && <Failure error={tenants.error} retry={() => void tenants.refetch()} />}
      <ul className={styles.list}>
        {found.slice(0, SHOWN).map((one) => (
          <li key={one.key} className={styles.item}>
            <div className={styles.head}>
              <Text weight="semibold">
                <AppLink to={one.to}>{one.name}</AppLink>
              </Text>
              <span className={styles.quiet}>{one.what}</span>
            </div>
            <span>
              <Linked text={`${one.message} ${one.fix}`.trim()} />
            </span>
            {one.read !== undefined && (
              <Text size={200} className={styles.quiet}>
                {one.read === null ? (
                  "It was never read."
                ) : (
                  <>
                    Last read <Time value={one.read} />
                  </>
                )}
              </Text>
            )}
          </li>
        ))}
      </ul>
      {found.length > SHOWN && <AppLink to="/setup/tenants">{`and ${found.length - SHOWN} more`}</AppLink>}
    </section>
  );
}
