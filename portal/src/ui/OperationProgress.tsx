/** An operation while it runs, and its honest end. */
import { MessageBar, MessageBarBody, makeStyles, ProgressBar, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import type { components } from "../api/schema";
import { useSession } from "../session";
import { AppLink } from "./AppLink";
import { Failure } from "./Failure";
import { sentence } from "./status";

export type Operation = components["schemas"]["Operation"];
const ENDED = ["succeeded", "failed", "canceled", "outcomeUnknown"];
const INTENTS: Record<string, "success" | "error" | "warning" | "info"> = {
  succeeded: "success",
  failed: "error",
  canceled: "warning",
  outcomeUnknown: "warning",
};
const useStyles = makeStyles({ root: { display: "grid", gap: tokens.spacingVerticalS } });

/** Whether nothing more happens in it. */
export function ended(status: string): boolean {
  return ENDED.includes(status);
}

/** The operation, asked for every two seconds until it has ended. */
export function useOperation(id: string | undefined) {
  const { api } = useSession();
  return useQuery({
    queryKey: ["operation", id],
    queryFn: async ({ signal }) => {
      const { data } = await api.GET("/api/operations/{operation_id}", {
        params: { path: { operation_id: id ?? "" } },
        signal,
      });
      return data as Operation;
    },
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (state.data && ended(state.data.status) ? false : 2000),
  });
}

/** How far the operation is; `noun` says of what, such as "Restart of vm-1". */
export function OperationProgress({ id, noun }: { id: string; noun: string }) {
  const styles = useStyles();
  const { data, error, refetch } = useOperation(id);
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  const status = data?.status ?? "notStarted";
  const waiting = data?.approval?.state === "pending";
  return (
    <div className={styles.root} aria-live="polite">
      {!ended(status) && !waiting && (
        <>
          <Text>{`${noun}: ${status === "notStarted" ? "waits to begin" : "under way"}`}</Text>
          <ProgressBar
            aria-label={noun}
            {...(data?.percentComplete != null && status === "running" && { value: data.percentComplete / 100 })}
          />
        </>
      )}
      {waiting && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>{`${noun} waits for a second person to approve it.`}</MessageBarBody>
        </MessageBar>
      )}
      {ended(status) && (
        <MessageBar intent={INTENTS[status] ?? "info"} layout="multiline">
          <MessageBarBody>
            {`${noun}: ${sentence(status).toLowerCase()}. `}
            {data?.error?.message}
          </MessageBarBody>
        </MessageBar>
      )}
      <Text>
        {!ended(status) && "It goes on when you leave this page. "}
        <AppLink inText to={`/operations/${id}`}>
          See the operation
        </AppLink>
      </Text>
    </div>
  );
}
