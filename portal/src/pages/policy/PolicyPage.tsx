/** The alert policy: what holds now in plain words, and the rules themselves, to be changed by whoever may. */
import { MessageBar, MessageBarBody, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { HistoryRegular } from "@fluentui/react-icons";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useNavigate } from "react-router";
import type { ApiError } from "../../api/errors";
import { useSession } from "../../session";
import { Deed } from "../../ui/Deed";
import { PageFrame } from "../../ui/PageFrame";
import { ReadPage } from "../../ui/ReadPage";
import { useSiteName } from "../../ui/sites";
import { Time } from "../../ui/time";
import { Unsaved } from "../../ui/Unsaved";
import { NO_REASON } from "../../ui/Why";
import { changesOf } from "./changes";
import { POLICY_KEY, type Read, type Rules, rulesOf, usePolicy } from "./data";
import { wrongNumbers } from "./limits";
import { Overrides } from "./Overrides";
import { Described, NumberRow, RuleField, Value } from "./RuleField";
import { SECTIONS, WATCHDOG, WATCHDOG_NUMBERS, WATCHDOG_RULES } from "./rules";
import { SaveBar } from "./SaveBar";
import { SaveDialog } from "./SaveDialog";
import { minutes, sentences } from "./words";

const useStyles = makeStyles({
  section: {
    display: "grid",
    gap: tokens.spacingVerticalL,
    paddingTop: tokens.spacingVerticalL,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  said: { margin: 0, paddingLeft: tokens.spacingHorizontalXL, maxWidth: "60rem", lineHeight: tokens.lineHeightBase400 },
  plain: { display: "grid", gap: tokens.spacingVerticalM },
});

export default function PolicyPage() {
  const read = usePolicy();
  return (
    <ReadPage title="Alert policy" read={read}>
      {(data) => <Policy read={data} again={async () => void (await read.refetch())} />}
    </ReadPage>
  );
}

function Policy({ read, again }: { read: Read; again: () => Promise<void> }) {
  const styles = useStyles();
  const { can, me } = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const siteName = useSiteName();
  // Only what was changed is kept: read again, the rest is as somebody else has set it.
  const [changed, setChanged] = useState<Rules>({});
  const [asked, setAsked] = useState(false);
  // Kept when the dialog is closed to mend a field.
  const [why, setWhy] = useState(NO_REASON);
  const [error, setError] = useState<ApiError>();
  const { policy } = read;
  const before = rulesOf(policy);
  const rules: Rules = { ...before, ...changed };
  const changes = changesOf(before, rules, siteName);
  const mayChange = can("Alerts.Manage");
  const everywhere = mayChange && me.sites === null;
  const wrong = wrongNumbers(rules);
  const about = (path: string) => wrong.find((one) => one.path === path)?.said ?? error?.about(path);
  const change = (part: Rules) => setChanged((now) => ({ ...now, ...part }));
  const reset = () => {
    setChanged({});
    setWhy(NO_REASON);
    setError(undefined);
  };
  const renew = async () => {
    await again();
    setError(undefined);
  };
  return (
    <PageFrame
      title="Alert policy"
      aside={<SetBy policy={policy} />}
      actions={<Deed label="Versions" icon={<HistoryRegular />} run={() => void navigate("/setup/policy/versions")} />}
    >
      <Unsaved draft={changes} />
      {!everywhere && (
        <MessageBar intent="info" layout="multiline">
          <MessageBarBody>
            {mayChange
              ? "These rules hold for every site: only an Integration.Admin changes them. You may change exceptions whose sites are all yours."
              : "You may look only: changing the policy needs the role Alerts.Manage."}
          </MessageBarBody>
        </MessageBar>
      )}
      {policy.unreadableVersion != null && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            {`Version ${policy.unreadableVersion} cannot be read, so version ${policy.version} holds in its place. Save the rules as you want them to replace it.`}
          </MessageBarBody>
        </MessageBar>
      )}
      <section className={styles.plain} aria-label="In force now">
        <Subtitle2 as="h2">In force now</Subtitle2>
        <ul className={styles.said}>
          {sentences(before).map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
          {(before.overrides ?? []).length > 0 && <li>Exceptions hold for some clients, sites or types: see below.</li>}
        </ul>
      </section>
      {SECTIONS.map((section) => (
        <Section key={section.title} title={section.title}>
          {section.rules.map((name) => (
            <RuleField key={name} name={name} rules={rules} change={everywhere ? change : undefined} about={about} />
          ))}
        </Section>
      ))}
      <Section title="Tenantry's own tickets">
        {WATCHDOG_RULES.map((name) => {
          const { label, effect } = WATCHDOG[name];
          const value = rules.watchdog?.[name];
          return everywhere ? (
            <NumberRow
              key={name}
              label={label}
              effect={effect}
              unit="minutes"
              limits={WATCHDOG_NUMBERS[name]}
              value={value}
              set={(next) => change({ watchdog: { ...rules.watchdog, [name]: next } })}
              said={about(`watchdog.${name}`)}
            />
          ) : (
            <Described key={name} effect={effect}>
              <Value label={label} value={minutes(value)} />
            </Described>
          );
        })}
      </Section>
      <Section title="Exceptions">
        <Text>
          Other rules for some clients, sites or types. What an exception does not set is as everywhere; of two that
          match, the later one wins.
        </Text>
        <Overrides
          rows={rules.overrides ?? []}
          set={mayChange ? (overrides) => change({ overrides }) : undefined}
          about={about}
          siteName={siteName}
        />
      </Section>
      {mayChange && (
        <SaveBar
          count={changes.length}
          wrong={wrong}
          error={error}
          review={() => setAsked(true)}
          reset={reset}
          again={renew}
        />
      )}
      {asked && (
        <SaveDialog
          rules={rules}
          etag={read.etag}
          changes={changes}
          why={why}
          setWhy={setWhy}
          again={renew}
          close={() => setAsked(false)}
          wrong={setError}
          saved={(stored) => {
            queries.setQueryData(POLICY_KEY, stored);
            reset();
          }}
        />
      )}
    </PageFrame>
  );
}

function SetBy({ policy }: { policy: Read["policy"] }) {
  if (policy.version === 0) return "As Tenantry came: nobody has changed it yet";
  return (
    <>
      {`Version ${policy.version}, set by ${policy.changedBy ?? "somebody"} `}
      <Time value={policy.changedAt} />
    </>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  const styles = useStyles();
  return (
    <section className={styles.section} aria-label={title}>
      <Subtitle2 as="h2">{title}</Subtitle2>
      {children}
    </section>
  );
}
