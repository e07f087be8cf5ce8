import { Button } from "@fluentui/react-components";
import { useState } from "react";
import { type ApiError, asApiError } from "../../api/errors";
import { useSession } from "../../session";
import { Ask } from "../../ui/Ask";
import { given, type Reason, Why } from "../../ui/Why";
import { Changes } from "./Changes";
import type { Change } from "./changes";
import type { PolicyVersion, Read, Rules } from "./data";

/** Shows exactly what changes, and saves it. What is wrong with a field is told beside the field as well. */
export function SaveDialog(props: {
  rules: Rules;
  etag: string;
  changes: readonly Change[];
  why: Reason;
  setWhy: (why: Reason) => void;
  /** Reads the policy again, under the changes. */
  again: () => Promise<void>;
  close: () => void;
  wrong: (error: ApiError) => void;
  saved: (stored: Read) => void;
}) {
  const { api } = useSession();
  const { rules, etag, why, close } = props;
  const [stale, setStale] = useState<"no" | "yes" | "read">("no");
  return (
    <Ask
      title="Change the alert policy"
      verb="Save"
      done="The alert policy is saved"
      close={close}
      run={async () => {
        try {
          const call = { body: { ...rules, ...given(why) }, headers: { "If-Match": etag } };
          const { data, response } = await api.PUT("/api/alerts/policy", call);
          props.saved({ policy: data as PolicyVersion, etag: response.headers.get("ETag") ?? "*" });
        } catch (thrown) {
          const error = asApiError(thrown);
          setStale(error.status === 412 ? "yes" : "no");
          if (error.status === 400 || error.status === 412) props.wrong(error);
          throw thrown;
        }
      }}
    >
      <Changes label="What changes" changes={props.changes} />
      <div>
        Every alert is judged by it at once: tickets that it does not want any more are closed, and others may open. It
        is kept as a new version, with your name.
      </div>
      <Why value={why} onChange={props.setWhy} />
      {stale === "yes" && (
        <div>
          <Button onClick={() => void props.again().then(() => setStale("read"))}>Read it again</Button>
        </div>
      )}
      {stale === "read" && <div>It is read again. Look at what changes once more, then save.</div>}
    </Ask>
  );
}
