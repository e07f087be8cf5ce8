/** Which sites and which events a sink is told of. */
import { Checkbox, Field, makeStyles, Radio, RadioGroup, Subtitle2, tokens } from "@fluentui/react-components";
import { useSession } from "../../session";
import { SitePicker } from "../../ui/sites";
import type { SinkBody } from "./data";
import { EVENTS, eventName } from "./events";

const useStyles = makeStyles({
  part: { display: "grid", gap: tokens.spacingVerticalM, alignContent: "start" },
  events: { display: "grid", gridTemplateColumns: "repeat(auto-fit, minmax(16rem, 1fr))" },
});

export function ToldOf(props: {
  body: SinkBody;
  setBody: (body: SinkBody) => void;
  tickets: boolean;
  errors: ReadonlyMap<string, string>;
}) {
  const styles = useStyles();
  const { me } = useSession();
  const { body, setBody, tickets, errors } = props;
  const siteIds = body.siteIds ?? null;
  const events = body.events ?? null;
  const known = [...new Set([...Object.keys(EVENTS), ...(events ?? [])])];
  return (
    <section className={styles.part}>
      <Subtitle2 as="h2">What it is told of</Subtitle2>
      {me.sites === null && (
        <Field label="Sites">
          <RadioGroup
            value={siteIds ? "some" : "every"}
            onChange={(_, data) => setBody({ ...body, siteIds: data.value === "every" ? null : [] })}
          >
            <Radio value="every" label="Every site, also those to come" />
            <Radio value="some" label="These sites only" />
          </RadioGroup>
        </Field>
      )}
      {siteIds && (
        <SitePicker
          label={me.sites === null ? "Which sites" : "Sites"}
          required
          hint={me.sites === null ? "" : "Only an administrator makes a sink for every site."}
          value={siteIds}
          onChange={(value) => setBody({ ...body, siteIds: value })}
          error={errors.get("siteIds")}
        />
      )}
      {!tickets && (
        <>
          <Field label="Events" validationMessage={errors.get("events") ?? null}>
            <RadioGroup
              value={events ? "some" : "every"}
              onChange={(_, data) => setBody({ ...body, events: data.value === "every" ? null : known })}
            >
              <Radio value="every" label="Every event, also those to come" />
              <Radio value="some" label="These only" />
            </RadioGroup>
          </Field>
          {events && (
            <div className={styles.events} role="group" aria-label="Which events">
              {known.map((one) => (
                <Checkbox
                  key={one}
                  label={eventName(one)}
                  checked={events.includes(one)}
                  onChange={(_, data) =>
                    setBody({
                      ...body,
                      events: data.checked ? [...events, one] : events.filter((other) => other !== one),
                    })
                  }
                />
              ))}
            </div>
          )}
        </>
      )}
      <Checkbox
        label="Enabled"
        checked={body.enabled ?? true}
        onChange={(_, data) => setBody({ ...body, enabled: data.checked === true })}
      />
    </section>
  );
}
