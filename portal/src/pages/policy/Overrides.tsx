/** Exceptions: rules for some clients, sites or types; of two that match the later one wins. */
import { Button, makeStyles, Subtitle2, Text, tokens } from "@fluentui/react-components";
import { AddRegular, ArrowUpRegular, DeleteRegular, EditRegular } from "@fluentui/react-icons";
import { useState } from "react";
import { useSession } from "../../session";
import type { Override } from "./data";
import { OverrideForm } from "./OverrideForm";
import { fullLabel } from "./rules";
import { ruleInWords, rulesSet, scopeInWords } from "./words";

const useStyles = makeStyles({
  list: { display: "grid", gap: tokens.spacingVerticalM, margin: 0, padding: 0, listStyleType: "none" },
  one: {
    display: "grid",
    gap: tokens.spacingVerticalS,
    padding: tokens.spacingHorizontalM,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
    overflowWrap: "anywhere",
  },
  rules: { margin: 0, paddingLeft: tokens.spacingHorizontalXL },
  buttons: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalS },
  quiet: { color: tokens.colorNeutralForeground2 },
});

export function Overrides(props: {
  rows: readonly Override[];
  set: ((rows: Override[]) => void) | undefined;
  about: (path: string) => string | undefined;
  siteName: (id: string) => string;
}) {
  const styles = useStyles();
  const { me } = useSession();
  const { rows, set, siteName } = props;
  const [open, setOpen] = useState<number>();
  const mine = ({ siteIds = null }: Override) =>
    me.sites === null || (siteIds !== null && siteIds.length > 0 && siteIds.every((id) => me.sites?.includes(id)));
  return (
    <>
      <ul className={styles.list}>
        {rows.map((row, index) => {
          const scope = scopeInWords(row, siteName);
          const edited = open === index && set !== undefined;
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: they have no name, and are told apart by their place
            <li key={index} className={styles.one}>
              <Subtitle2 as="h3">{scope}</Subtitle2>
              {edited ? (
                <OverrideForm
                  row={row}
                  set={(next) => set(rows.map((one, at) => (at === index ? next : one)))}
                  about={(path) => props.about(`overrides.${index}.${path}`)}
                  said={props.about(`overrides.${index}`)}
                />
              ) : (
                <Said row={row} />
              )}
              {set && (edited || mine(row)) && (
                <div className={styles.buttons}>
                  <Button
                    size="small"
                    icon={<EditRegular />}
                    aria-label={`${edited ? "Done with" : "Edit"} the exception for: ${scope}`}
                    onClick={() => setOpen(edited ? undefined : index)}
                  >
                    {edited ? "Done" : "Edit"}
                  </Button>
                  {index > 0 && (
                    <Button
                      size="small"
                      icon={<ArrowUpRegular />}
                      aria-label={`Move up the exception for: ${scope}`}
                      onClick={() => {
                        setOpen(undefined);
                        set([
                          ...rows.slice(0, index - 1),
                          row,
                          ...rows.slice(index - 1, index),
                          ...rows.slice(index + 1),
                        ]);
                      }}
                    >
                      Up
                    </Button>
                  )}
                  <Button
                    size="small"
                    icon={<DeleteRegular />}
                    aria-label={`Remove the exception for: ${scope}`}
                    onClick={() => {
                      setOpen(undefined);
                      set(rows.filter((_, at) => at !== index));
                    }}
                  >
                    Remove
                  </Button>
                </div>
              )}
            </li>
          );
        })}
      </ul>
      {rows.length === 0 && <Text className={styles.quiet}>There are none: the rules above hold everywhere.</Text>}
      {set && (
        <div>
          <Button
            icon={<AddRegular />}
            onClick={() => {
              set([...rows, me.sites === null ? {} : { siteIds: [] }]);
              setOpen(rows.length);
            }}
          >
            Add an exception
          </Button>
        </div>
      )}
    </>
  );
}

function Said({ row }: { row: Override }) {
  const styles = useStyles();
  const names = rulesSet(row);
  if (names.length === 0) return <Text className={styles.quiet}>It sets no rule of its own.</Text>;
  return (
    <ul className={styles.rules}>
      {names.map((name) => (
        <li key={name}>{`${fullLabel(name)}: ${ruleInWords(name, row)}`}</li>
      ))}
    </ul>
  );
}
