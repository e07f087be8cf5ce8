/** Which devices an action on several is done to, and which of the selected ones are left out. */
import { makeStyles, tokens } from "@fluentui/react-components";
import type { components } from "../../api/schema";
import { VERBS_DONE, type Verb } from "./actions";

type Device = components["schemas"]["Device"];

const NAMED = 5;
const useStyles = makeStyles({
  list: { margin: 0, paddingLeft: tokens.spacingHorizontalXL, overflowWrap: "anywhere" },
  client: { color: tokens.colorNeutralForeground3 },
});

export function Named(props: { verb: Verb; devices: readonly Device[]; others: readonly Device[] }) {
  const { verb, devices, others } = props;
  const styles = useStyles();
  const all = devices.length + others.length;
  return (
    <>
      {others.length > 0 && (
        <div>
          {`${devices.length.toLocaleString()} of ${all.toLocaleString()} can be ${VERBS_DONE[verb]}, as far as is known before Azure is asked. `}
          {others.length === 1 ? `${others[0]?.name} is left out.` : "The others are left out."}
        </div>
      )}
      <ul className={styles.list} aria-label="Devices">
        {devices.slice(0, NAMED).map((device) => (
          <li key={device.id}>
            {device.name} <span className={styles.client}>{device.clientName}</span>
          </li>
        ))}
        {devices.length > NAMED && <li>{`and ${(devices.length - NAMED).toLocaleString()} more`}</li>}
      </ul>
    </>
  );
}
