/** Step 2: each permission that will be asked for, and why. */
import { Badge, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import type { components } from "../../../api/schema";
import { useSession } from "../../../session";
import { Failure } from "../../../ui/Failure";
import { Loading } from "../../../ui/Loading";
import { Mark } from "../../../ui/status";
import type { Connection } from "../state";
import { StepFrame } from "./StepFrame";

const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalL, maxWidth: "56rem" },
  part: { display: "grid", gap: tokens.spacingVerticalXS },
  list: { listStyleType: "none", margin: 0, padding: 0, borderTop: `1px solid ${tokens.colorNeutralStroke2}` },
  item: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) 9rem",
    columnGap: tokens.spacingHorizontalL,
    padding: `${tokens.spacingVerticalS} 0`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    "@media (max-width: 600px)": { gridTemplateColumns: "minmax(0, 1fr)", rowGap: tokens.spacingVerticalXS },
  },
  name: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalS },
  code: { fontWeight: tokens.fontWeightSemibold, overflowWrap: "anywhere" },
  why: { color: tokens.colorNeutralForeground2 },
});
const TYPES = { delegated: "Delegated", application: "Application" } as const;

export function PermissionsStep({ connection }: { connection: Connection }) {
  const styles = useStyles();
  const { api } = useSession();
  const found = useQuery({
    queryKey: ["permissions", connection.id, connection.authorizedAt],
    queryFn: async ({ signal }) => {
      const params = { path: { connection_id: connection.id }, query: { $top: 1000 } };
      return (await api.GET("/api/connections/{connection_id}/permissions", { params, signal })).data?.value ?? [];
    },
  });
  const rows = found.data ?? [];
  const asked = connection.authorizedAt !== undefined;
  return (
    <StepFrame
      step="permissions"
      title="Know what is asked for"
      text={
        <>
          Microsoft shows these when you sign in. Delegated ones act as the account that signs in, and no further than
          its own rights; application ones work without a person, and are given in each tenant when it is synced.
          Nothing else is asked for.
        </>
      }
    >
      {found.error && <Failure error={found.error} retry={() => void found.refetch()} />}
      {found.isPending && <Loading label="Reading the permissions" />}
      <div className={styles.root}>
        {[...new Set(rows.map((row) => row.api))].map((name) => (
          <div key={name} className={styles.part}>
            <Subtitle2 as="h3">{name}</Subtitle2>
            <ul className={styles.list} aria-label={`Permissions of ${name}`}>
              {rows
                .filter((row) => row.api === name)
                .map((row) => (
                  <li key={`${row.type}${row.permission}`} className={styles.item}>
                    <div>
                      <div className={styles.name}>
                        <span className={styles.code}>{row.permission}</span>
                        <Badge appearance="outline" color="informative">
                          {TYPES[row.type]}
                        </Badge>
                      </div>
                      <Text className={styles.why}>{row.why}</Text>
                    </div>
                    <Granted row={row} asked={asked} />
                  </li>
                ))}
            </ul>
          </div>
        ))}
      </div>
    </StepFrame>
  );
}

/** Signing in grants the delegated ones; the application ones of the own tenant come with its sync, as everywhere. */
function Granted({ row, asked }: { row: components["schemas"]["Permission"]; asked: boolean }) {
  if (row.granted) return <Mark tone="good">Granted</Mark>;
  if (row.type === "application") return <Mark tone="quiet">Given at sync</Mark>;
  return asked ? <Mark tone="bad">Not granted</Mark> : <Mark tone="quiet">Not asked yet</Mark>;
}
