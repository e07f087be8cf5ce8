import { makeStyles, tokens } from "@fluentui/react-components";
import { Link } from "react-router";

const useStyles = makeStyles({
  link: {
    color: tokens.colorBrandForegroundLink,
    textDecorationLine: "none",
    ":hover": { color: tokens.colorBrandForegroundLinkHover, textDecorationLine: "underline" },
  },
  inText: { textDecorationLine: "underline" },
});

/** A link to another page of the portal. `inText`: it stands within a sentence, and is told apart by its line. */
export function AppLink({ to, children, inText = false }: { to: string; children: string; inText?: boolean }) {
  const styles = useStyles();
  return (
    <Link to={to} className={inText ? `${styles.link} ${styles.inText}` : styles.link}>
      {children}
    </Link>
  );
}
