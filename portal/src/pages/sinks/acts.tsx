/** What can be done with a sink: test, switch on and off, delete, send again. */
import { newKey } from "../../api/client";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { useOnce } from "../../ui/useOnce";
import { bodyOf, replaceSink, type Sink, type SinkDetail } from "./data";

export const MAY_NOT = "You may look only: changing sinks needs the role Alerts.Manage.";

export type Asked = "delete" | "toggle" | "redeliver";

/** The dialog of one of the deeds. */
export function SinkDialog(props: {
  asked: Asked;
  sink: Sink;
  tickets: boolean;
  close: () => void;
  gone?: () => void;
}) {
  const { asked, sink, tickets, close } = props;
  const { api } = useSession();
  if (asked === "delete") {
    return (
      <Ask
        title={`Delete ${sink.name}`}
        verb="Delete"
        why
        done={`${sink.name} is being deleted`}
        close={close}
        run={async ({ why }) => {
          await api.DELETE("/api/sinks/{sink_id}", { params: { path: { sink_id: sink.id }, query: why } });
          props.gone?.();
        }}
      >
        <div>
          {tickets
            ? "The tickets that Tenantry has open there are closed first, each with a note that the sink was removed."
            : "It is told that the alerts it knows as open are closed, because the sink was removed."}{" "}
          What was not sent yet is never sent. Its secrets are gone, and its deliveries can no longer be looked at.
          Alerts stay open in Tenantry, and other sinks are told as before.
        </div>
      </Ask>
    );
  }
  if (asked === "redeliver") {
    return (
      <Ask
        title={`Send again what failed at ${sink.name}`}
        verb="Send again"
        why
        done="What failed is in line again"
        close={close}
        run={({ why, key }) =>
          api.POST("/api/sinks/{sink_id}/redeliver", {
            params: { path: { sink_id: sink.id }, header: { "Idempotency-Key": key } },
            body: why,
          })
        }
      >
        <div>
          Everything that failed for good is put back in line, under the same ids, with a full number of attempts. Mend
          the cause first, or it fails again.
        </div>
      </Ask>
    );
  }
  const on = !sink.enabled;
  return (
    <Ask
      title={`${on ? "Enable" : "Disable"} ${sink.name}`}
      verb={on ? "Enable" : "Disable"}
      why
      done={`${sink.name} is ${on ? "enabled" : "disabled"}`}
      close={close}
      run={async ({ why }) => {
        // Only the switch is changed: the rest is sent back as it is now.
        const { data, response } = await api.GET("/api/sinks/{sink_id}", { params: { path: { sink_id: sink.id } } });
        const body = { ...bodyOf(data as SinkDetail), ...why, enabled: on };
        await replaceSink(api, sink.id, body, response.headers.get("ETag"));
      }}
    >
      <div>
        {on
          ? "What waited is sent now, and it is told of every alert that is open and that it was not told of."
          : "Nothing is sent to it until it is enabled again. Its open tickets stay open, and are not closed while it is disabled; what happened meanwhile is told when it is enabled."}
      </div>
    </Ask>
  );
}

/** Sends a test now, and keeps what came of it. */
export function useTest() {
  const { api } = useSession();
  return useOnce({
    mutationFn: async (id: string) => {
      const params = { path: { sink_id: id }, header: { "Idempotency-Key": newKey() } };
      return (await api.POST("/api/sinks/{sink_id}/test", { params, body: {} })).data;
    },
  });
}
