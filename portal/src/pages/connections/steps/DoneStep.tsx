/** The end of the set-up: devices arrive, and what is next. */
import { makeStyles, Text, tokens } from "@fluentui/react-components";
import { CheckmarkCircleFilled } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../../session";
import { AppLink } from "../../../ui/AppLink";
import { Time } from "../../../ui/time";
import type { Connection } from "../state";
import { StepFrame } from "./StepFrame";

const useStyles = makeStyles({
  head: { display: "flex", alignItems: "center", gap: tokens.spacingHorizontalM },
  sign: { fontSize: "32px", color: tokens.colorStatusSuccessForeground1, flexShrink: 0 },
  list: { margin: 0, paddingLeft: tokens.spacingHorizontalXL, display: "grid", gap: tokens.spacingVerticalS },
});
const ARRIVING_SECONDS = 5;

export function DoneStep({ connection }: { connection: Connection }) {
  const styles = useStyles();
  const { api } = useSession();
  const devices = useQuery({
    queryKey: ["devices", "count"],
    queryFn: async ({ signal }) =>
      (await api.GET("/api/devices", { params: { query: { $top: 1, $count: true } }, signal })).data?.count ?? 0,
    refetchInterval: ARRIVING_SECONDS * 1000,
  });
  return (
    <StepFrame
      step="done"
      title={`${connection.name} is connected`}
      text="New customers appear by themselves within the hour; sync and map those that you look after."
      last
    >
      <div className={styles.head}>
        <CheckmarkCircleFilled className={styles.sign} aria-hidden />
        <div>
          <Text weight="semibold" role="status">
            {devices.data === undefined
              ? "Devices are being read."
              : `${devices.data.toLocaleString()} ${devices.data === 1 ? "device" : "devices"} so far.`}
          </Text>{" "}
          <AppLink inText to="/devices">
            See the devices
          </AppLink>
          <div>
            {connection.authorizedBy} signed in <Time value={connection.authorizedAt} />.
          </div>
        </div>
      </div>
      <ul className={styles.list}>
        <li>
          <AppLink inText to="/setup/tenants">
            Tenants
          </AppLink>
          : sync more of your customers, and see what is wrong with one
        </li>
        <li>
          <AppLink inText to="/setup/sites">
            Sites
          </AppLink>
          : map them to tenants
        </li>
        <li>
          <AppLink inText to="/setup/connections">
            Connections
          </AppLink>
          : test this one again, or remove it
        </li>
      </ul>
    </StepFrame>
  );
}
