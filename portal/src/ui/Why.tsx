import { Field, Input, makeStyles, Textarea, tokens } from "@fluentui/react-components";

const useStyles = makeStyles({ root: { display: "grid", gap: tokens.spacingVerticalS } });

export interface Reason {
  reason: string;
  ticketNumber: string;
}

export const NO_REASON: Reason = { reason: "", ticketNumber: "" };

/** What is sent: fields that were left empty are not. */
export function given(why: Reason): { reason?: string; ticketNumber?: string } {
  const [reason, ticketNumber] = [why.reason.trim(), why.ticketNumber.trim()];
  return { ...(reason && { reason }), ...(ticketNumber && { ticketNumber }) };
}

/** Why something is done, and under which ticket; both reach the audit log. */
export function Why({ value, onChange }: { value: Reason; onChange: (value: Reason) => void }) {
  const styles = useStyles();
  return (
    <div className={styles.root}>
      <Field label="Reason" hint="Reaches the audit log.">
        <Textarea
          maxLength={500}
          resize="vertical"
          value={value.reason}
          onChange={(_, data) => onChange({ ...value, reason: data.value })}
        />
      </Field>
      <Field label="Ticket number">
        <Input
          maxLength={100}
          value={value.ticketNumber}
          onChange={(_, data) => onChange({ ...value, ticketNumber: data.value })}
        />
      </Field>
    </div>
  );
}
