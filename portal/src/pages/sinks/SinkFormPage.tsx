/** Adding a sink, or changing one: the fields come from its kind's own schema. */
import {
  Button,
  Field,
  Input,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  Radio,
  RadioGroup,
  Subtitle2,
  Text,
  tokens,
} from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useNavigate, useParams } from "react-router";
import { newKey } from "../../api/client";
import { fieldErrors } from "../../api/errors";
import { useSession } from "../../session";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { PageFrame } from "../../ui/PageFrame";
import { SchemaForm } from "../../ui/SchemaForm";
import { missingOf } from "../../ui/schema";
import { useToasts } from "../../ui/toasts";
import { LEAVING, Unsaved } from "../../ui/Unsaved";
import { useOnce } from "../../ui/useOnce";
import { given, NO_REASON, Why } from "../../ui/Why";
import { bodyOf, type Kind, replaceSink, type Sink, type SinkBody, useKinds, useSink } from "./data";
import { describe, useSources } from "./settings";
import { ToldOf } from "./ToldOf";

const useStyles = makeStyles({
  form: { display: "grid", gap: tokens.spacingVerticalL, maxWidth: "44rem" },
  part: { display: "grid", gap: tokens.spacingVerticalL, alignContent: "start" },
  buttons: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalS },
  secret: { fontFamily: tokens.fontFamilyMonospace, overflowWrap: "anywhere", userSelect: "all" },
});

export default function SinkFormPage() {
  const { sinkId = "" } = useParams();
  const kinds = useKinds();
  const read = useSink(sinkId, false);
  const error = kinds.error ?? read.error;
  if (error) {
    return (
      <PageFrame title={sinkId ? "Edit a sink" : "Add a sink"}>
        <Failure error={error} retry={() => void Promise.all([kinds.refetch(), sinkId && read.refetch()])} />
      </PageFrame>
    );
  }
  if (!kinds.data || (sinkId && !read.data)) return <Loading label="Reading the settings" />;
  return <SinkForm key={sinkId} kinds={kinds.data} sink={read.data?.sink} etag={read.data?.etag ?? null} />;
}

const BLANK: SinkBody = { kind: "", name: "", settings: {}, siteIds: null, events: null, enabled: true };

function SinkForm({ kinds, sink, etag }: { kinds: readonly Kind[]; sink: Sink | undefined; etag: string | null }) {
  const styles = useStyles();
  const { api, me } = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const toasts = useToasts();
  const [body, setBody] = useState<SinkBody>(() =>
    sink ? bodyOf(sink) : { ...BLANK, siteIds: me.sites === null ? null : [] },
  );
  const [why, setWhy] = useState(NO_REASON);
  const [key, setKey] = useState(newKey);
  const kind = kinds.find((one) => one.kind === body.kind);
  const wanting = kind && wantingOf(body, kind, sink !== undefined);
  const source = useSources(sink?.id, body.kind);
  const save = useOnce({
    mutationFn: async () => {
      const wanted = { ...body, ...given(why) };
      if (sink) return replaceSink(api, sink.id, wanted, etag);
      const params = { header: { "Idempotency-Key": key } };
      return (await api.POST("/api/sinks", { params, body: wanted })).data as Sink;
    },
    onError: () => setKey(newKey()),
    onSuccess: (stored) => {
      void queries.invalidateQueries();
      toasts.done(sink ? `${stored.name} is saved` : `${stored.name} is added`);
      if (!madeSecret(body, stored)) leave(stored);
    },
  });
  // A new sink of tickets can now be asked which boards and companies there are: that is what comes next.
  const leave = (stored: Sink) =>
    void navigate(!sink && kind?.tickets ? `/setup/sinks/${stored.id}/edit` : `/setup/sinks/${stored.id}`, LEAVING);
  const errors = fieldErrors(save.error);
  const title = sink ? `Edit ${sink.name}` : "Add a sink";
  const made = save.data && madeSecret(body, save.data);
  if (save.data && made) return <MadeSecret secret={made} go={() => leave(save.data)} />;
  return (
    <PageFrame title={title} aside={sink && kind?.title}>
      <Unsaved draft={body} />
      <form
        className={styles.form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!save.isPending && kind && wanting === undefined) save.mutate();
        }}
      >
        {!sink && (
          <Field label="Kind" required>
            <RadioGroup
              value={body.kind}
              onChange={(_, data) => setBody({ ...body, kind: data.value, settings: {}, events: null })}
            >
              {kinds.map((one) => (
                <Radio
                  key={one.kind}
                  value={one.kind}
                  label={`${one.title}: ${one.tickets ? "makes and closes tickets" : "is told of events"}`}
                />
              ))}
            </RadioGroup>
          </Field>
        )}
        {kind && (
          <>
            <Field label="Name" required hint="What people call it." validationMessage={errors.get("name") ?? null}>
              <Input maxLength={100} value={body.name} onChange={(_, data) => setBody({ ...body, name: data.value })} />
            </Field>
            <section className={styles.part}>
              <Subtitle2 as="h2">Settings</Subtitle2>
              {!sink && kind.tickets && (
                <MessageBar intent="info" layout="multiline">
                  <MessageBarBody>
                    Fill in how to sign in, then add it. Boards, statuses and companies can be chosen from lists
                    afterwards; until then its tickets wait.
                  </MessageBarBody>
                </MessageBar>
              )}
              <SchemaForm
                schema={kind.settings}
                path="settings"
                value={body.settings}
                onChange={(settings) => setBody({ ...body, settings: { ...settings } })}
                context={{ errors, stored: sink !== undefined, needed: kind.needed, source, describe }}
              />
            </section>
            <ToldOf body={body} setBody={setBody} tickets={kind.tickets} errors={errors} />
            <Why value={why} onChange={setWhy} />
            {save.error && <Failure error={save.error} />}
            <div className={styles.buttons}>
              <Button appearance="primary" type="submit" disabled={save.isPending || wanting !== undefined}>
                {sink ? "Save" : "Add"}
              </Button>
              <Button onClick={() => void navigate(sink ? `/setup/sinks/${sink.id}` : "/setup/sinks", LEAVING)}>
                Cancel
              </Button>
              {wanting && <Text>{wanting}</Text>}
            </div>
          </>
        )}
      </form>
    </PageFrame>
  );
}

/** What must still be filled in. A secret that is stored is kept when its field is empty. */
function wantingOf(body: SinkBody, kind: Kind, stored: boolean): string | undefined {
  if (!body.name.trim()) return "Give it a name.";
  const missing = missingOf(kind.settings, body.settings, stored ? [] : kind.needed);
  if (missing.length > 0) return `Fill in: ${missing.join(", ")}.`;
  if (body.siteIds?.length === 0) return "Choose at least one site.";
  if (body.events?.length === 0) return "Choose at least one event.";
  return undefined;
}

/** A secret that the API made because none was sent; it is in this one answer only. */
function madeSecret(sent: SinkBody, stored: Sink): string | undefined {
  const { secret } = stored.settings;
  return typeof secret === "string" && !sent.settings.secret ? secret : undefined;
}

function MadeSecret({ secret, go }: { secret: string; go: () => void }) {
  const styles = useStyles();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    if (!copied) window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [copied]);
  return (
    <PageFrame title="Its signing secret">
      <div className={styles.form}>
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>It is shown now and never again</MessageBarTitle>
            The receiver needs it to check that what it gets comes from Tenantry and was not changed.
          </MessageBarBody>
        </MessageBar>
        <code className={styles.secret}>{secret}</code>
        <div className={styles.buttons}>
          <Button
            appearance="primary"
            onClick={() => void navigator.clipboard.writeText(secret).then(() => setCopied(true))}
          >
            {copied ? "Copied" : "Copy"}
          </Button>
          <Button onClick={go}>I have kept it</Button>
        </div>
      </div>
    </PageFrame>
  );
}
