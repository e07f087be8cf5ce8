/** Everything a tenant needs, looked at now. */
import { Button, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { StethoscopeRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../session";
import { Checks, countOf } from "../../ui/Checks";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";

const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalM, alignContent: "start" },
  head: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalM },
  button: { marginLeft: "auto" },
  said: { color: tokens.colorNeutralForeground2 },
});

/** `at once`: it is looked at without being asked. */
export function Diagnosis({ id, atOnce }: { id: string; atOnce: boolean }) {
  const styles = useStyles();
  const { api } = useSession();
  const [asked, setAsked] = useState(atOnce);
  const report = useQuery({
    queryKey: ["diagnosis", id],
    queryFn: async ({ signal }) =>
      (await api.GET("/api/tenants/{tenant_id}/diagnosis", { params: { path: { tenant_id: id } }, signal })).data,
    enabled: asked,
    staleTime: 60_000,
  });
  return (
    <section className={styles.root}>
      <div className={styles.head}>
        <Subtitle2 as="h2">Diagnosis</Subtitle2>
        {report.data && <Text className={styles.said}>{countOf(report.data.checks)}</Text>}
        <Button
          className={styles.button}
          size="small"
          icon={<StethoscopeRegular />}
          disabledFocusable={report.isFetching}
          onClick={() => (asked ? void report.refetch() : setAsked(true))}
        >
          {report.data ? "Look again" : "Diagnose"}
        </Button>
      </div>
      {!asked && (
        <Text className={styles.said}>
          Asks Microsoft about the relationship, the permissions, the enterprise application and Azure, and says what to
          do about each thing that is wrong.
        </Text>
      )}
      {report.error && <Failure error={report.error} retry={() => void report.refetch()} />}
      {asked && report.isPending && !report.error && <Loading label="Asking Microsoft" />}
      {report.data && <Checks checks={report.data.checks} />}
    </section>
  );
}
