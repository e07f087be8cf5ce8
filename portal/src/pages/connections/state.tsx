/** What people call the states of a connection. */
import { ClockRegular } from "@fluentui/react-icons";
import type { components } from "../../api/schema";
import { Mark, type Tone } from "../../ui/status";

export type Connection = components["schemas"]["Connection"];

export const STATES: Record<Connection["status"], [Tone, string]> = {
  draft: ["quiet", "Nobody has signed in yet"],
  authorized: ["doubtful", "Signed in, not tested"],
  tested: ["doubtful", "Tested, set-up not complete"],
  active: ["good", "Saved and authenticated"],
  needsConsent: ["bad", "Sign in again"],
  disabling: ["quiet", "Being removed"],
};

export function ConnectionState({ connection }: { connection: Connection }) {
  const [tone, name] = STATES[connection.status];
  return (
    <Mark tone={tone} {...(connection.status === "disabling" && { icon: ClockRegular })}>
      {name}
    </Mark>
  );
}
