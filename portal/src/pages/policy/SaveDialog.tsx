import { type ApiError, asApiError } from "../../api/errors";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { Changes } from "./Changes";
import type { Change } from "./changes";
import type { PolicyVersion, Read, Rules } from "./data";

/** Shows exactly what changes, and saves it. What is wrong with a field, or out of date, is told on the page. */
export function SaveDialog(props: {
  rules: Rules;
  etag: string;
  changes: readonly Change[];
  close: () => void;
  wrong: (error: ApiError) => void;
  saved: (stored: Read) => void;
}) {
  const { api } = useSession();
  const { rules, etag, close } = props;
  return (
    <Ask
      title="Change the alert policy"
      verb="Save"
      done="The alert policy is saved"
      why
      close={close}
      run={async ({ why }) => {
        try {
          const call = { body: { ...rules, ...why }, headers: { "If-Match": etag } };
          const { data, response } = await api.PUT("/api/alerts/policy", call);
          props.saved({ policy: data as PolicyVersion, etag: response.headers.get("ETag") ?? "*" });
        } catch (thrown) {
          const error = asApiError(thrown);
          if (error.status === 400 || error.status === 412) {
            props.wrong(error);
            close();
          }
          throw thrown;
        }
      }}
    >
      <Changes label="What changes" changes={props.changes} />
      <div>
        Every alert is judged by it at once: tickets that it does not want any more are closed, and others may open. It
        is kept as a new version, with your name.
      </div>
    </Ask>
  );
}
