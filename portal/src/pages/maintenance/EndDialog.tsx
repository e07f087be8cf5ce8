/** Ending a maintenance window, or taking away one that is still to come. */
import { useQuery } from "@tanstack/react-query";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Failure } from "../../ui/Failure";
import { Scope, span, type Window } from "./words";

export function EndDialog({ row, close }: { row: Window; close: () => void }) {
  const { api } = useSession();
  const params = { path: { window_id: row.id } };
  // It is ended as it was read: what somebody else ended meanwhile is told.
  const present = useQuery({
    queryKey: ["maintenance", row.id],
    queryFn: async ({ signal }) => {
      const { data, response } = await api.GET("/api/maintenance/{window_id}", { params, signal });
      return { state: data?.state ?? row.state, etag: response.headers.get("ETag") ?? "*" };
    },
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const planned = (present.data?.state ?? row.state) === "upcoming";
  return (
    <Ask
      title={`${planned ? "Delete" : "End"} the window: ${row.reason}`}
      verb={planned ? "Delete" : "End it now"}
      done={planned ? "The maintenance window is deleted" : "The maintenance window is over"}
      why
      wanting={wanting(present.data?.state, present.error)}
      close={close}
      run={({ why }) =>
        api.DELETE("/api/maintenance/{window_id}", {
          params: { ...params, query: why },
          headers: { "If-Match": present.data?.etag ?? "*" },
        })
      }
    >
      <div>
        <Scope row={row} />, {span(row.startAt, row.endAt)}.
      </div>
      <div>
        {planned
          ? "It goes away as if it had never been made: what goes down in that time opens tickets as on any day."
          : "It is over from now on: what goes down next opens a ticket, and what is down now opens one if it is not back in the time that the alert policy gives. The window stays in the list, with who ended it."}
      </div>
      {present.error && <Failure error={present.error} retry={() => void present.refetch()} />}
    </Ask>
  );
}

function wanting(state: Window["state"] | undefined, error: Error | null): string | undefined {
  if (error) return "It could not be read.";
  if (!state) return "Reading the window.";
  return state === "past" ? "It is over already." : undefined;
}
