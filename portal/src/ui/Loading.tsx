import { makeStyles, Spinner } from "@fluentui/react-components";

const useStyles = makeStyles({
  whole: { minHeight: "100vh", display: "grid", placeItems: "center" },
  part: { minHeight: "12rem", display: "grid", placeItems: "center" },
});

/** A sign that something is on its way. `whole`: it fills the window. */
export function Loading({ label, whole = false }: { label: string; whole?: boolean }) {
  const styles = useStyles();
  return (
    <div className={whole ? styles.whole : styles.part}>
      <Spinner label={label} labelPosition="below" />
    </div>
  );
}
