/** What lies under a device and can be acted upon: node pools, slots, machines of a scale set. */
import { makeStyles, Subtitle2, tokens } from "@fluentui/react-components";
import { useState } from "react";
import type { components } from "../../api/schema";
import { useSession } from "../../session";
import type { RowAction } from "../../table/model";
import { RowMenu } from "../../table/parts";
import { Failure } from "../../ui/Failure";
import { PowerState, sentence } from "../../ui/status";
import { ActDialog } from "./ActDialog";
import { VERB_ICONS, VERB_NAMES, VERBS, type Verb } from "./actions";
import { useChildren } from "./children";

type Child = components["schemas"]["DeviceChild"];

const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalM },
  list: { listStyleType: "none", margin: 0, padding: 0, maxHeight: "28rem", overflowY: "auto", maxWidth: "56rem" },
  row: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) auto auto",
    alignItems: "center",
    columnGap: tokens.spacingHorizontalL,
    padding: `${tokens.spacingVerticalXS} 0`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  name: { overflowWrap: "anywhere" },
  kind: { display: "block", color: tokens.colorNeutralForeground3, fontSize: tokens.fontSizeBase200 },
});

export function Children({ id, name }: { id: string; name: string }) {
  const styles = useStyles();
  const { can } = useSession();
  const children = useChildren(id);
  const [asked, setAsked] = useState<{ verb: Verb; child: string }>();
  const mayAct = can("CloudDevices.Update");
  if (children.error) return <Failure error={children.error} retry={() => void children.refetch()} />;
  // Most types have none, and need no heading that says so.
  if (!children.data?.length) return null;
  return (
    <section className={styles.root}>
      <Subtitle2 as="h2">Below it</Subtitle2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by the keyboard */}
      <ul className={styles.list} aria-label={`Below ${name}`} tabIndex={0}>
        {children.data.map((child) => (
          <li key={child.child} className={styles.row}>
            <span className={styles.name}>
              {child.child.split("/").slice(1).join("/")}
              <span className={styles.kind}>{sentence(child.type.split("/").at(-1) ?? "")}</span>
            </span>
            <PowerState state={child.powerState} />
            <RowMenu
              name={child.child}
              actions={actionsOf(child, mayAct, (verb) => setAsked({ verb, child: child.child }))}
            />
          </li>
        ))}
      </ul>
      {asked && (
        <ActDialog
          verb={asked.verb}
          target={{ kind: "one", id, name, child: asked.child }}
          close={() => setAsked(undefined)}
        />
      )}
    </section>
  );
}

function actionsOf(child: Child, mayAct: boolean, ask: (verb: Verb) => void): readonly RowAction[] {
  return VERBS.map((verb) => {
    const Icon = VERB_ICONS[verb];
    const disabled = !mayAct
      ? "You may look only: acting needs the role CloudDevices.Update."
      : child.actions.includes(verb)
        ? undefined
        : "It cannot do this, or not in its present state.";
    return { label: VERB_NAMES[verb], icon: <Icon />, disabled, run: () => ask(verb) };
  });
}
