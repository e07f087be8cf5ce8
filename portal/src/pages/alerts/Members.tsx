import { makeStyles, Text, tokens } from "@fluentui/react-components";
import { AppLink } from "../../ui/AppLink";
import { Health } from "../../ui/status";
import type { Alert } from "./words";

const useStyles = makeStyles({
  list: {
    listStyleType: "none",
    margin: 0,
    padding: 0,
    display: "grid",
    gridTemplateColumns: "repeat(auto-fill, minmax(16rem, 1fr))",
    columnGap: tokens.spacingHorizontalXL,
    rowGap: tokens.spacingVerticalXS,
  },
  item: { display: "flex", justifyContent: "space-between", gap: tokens.spacingHorizontalM, minWidth: 0 },
  name: { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
});

/** The devices of an outage, and how they do now. */
export function Members({ members }: { members: NonNullable<Alert["members"]> }) {
  const styles = useStyles();
  const { count, open, devices } = members;
  return (
    <>
      <Text>
        {`${open.toLocaleString()} of ${count.toLocaleString()} down now.`}
        {count > devices.length && ` The first ${devices.length} are:`}
      </Text>
      <ul className={styles.list}>
        {devices.map((device) => (
          <li key={device.id} className={styles.item}>
            <span className={styles.name} title={device.name}>
              <AppLink to={`/devices/${device.id}`}>{device.name}</AppLink>
            </span>
            <Health status={device.status ?? "unknown"} />
          </li>
        ))}
      </ul>
    </>
  );
}
