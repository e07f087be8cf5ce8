import {
  Button,
  MessageBar,
  MessageBarActions,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  tokens,
} from "@fluentui/react-components";
import { useInRouterContext, useLocation } from "react-router";
import { ApiError } from "../api/errors";
import { AppLink } from "./AppLink";
import { SignInAgain } from "./SignInAgain";

const useStyles = makeStyles({
  whole: { maxWidth: "48rem", margin: "15vh auto 0", padding: tokens.spacingHorizontalL },
  id: { color: tokens.colorNeutralForeground3, fontFamily: tokens.fontFamilyMonospace, overflowWrap: "anywhere" },
  list: { margin: `${tokens.spacingVerticalXS} 0 0`, paddingLeft: tokens.spacingHorizontalXL },
});

/** What went wrong and what to do about it. `retry` is offered as a button. */
export function Failure({ error, retry, whole = false }: { error: Error; retry?: () => void; whole?: boolean }) {
  const styles = useStyles();
  const known = error instanceof ApiError ? error : undefined;
  const onPage = useInRouterContext();
  return (
    <div className={whole ? styles.whole : undefined} role="alert">
      <MessageBar intent="error" layout="multiline">
        <MessageBarBody>
          <MessageBarTitle>{error.message}</MessageBarTitle>
          {known?.wayOn}
          {onPage && retry && known?.status === 404 && <ToTheList />}
          {known && known.details.length > 0 && (
            <ul className={styles.list}>
              {known.details.slice(0, 10).map((detail) => (
                <li key={`${detail.target}${detail.message}`}>
                  {detail.target && detail.code !== "unknownParameter" ? `${detail.target}: ` : ""}
                  {detail.message}
                </li>
              ))}
            </ul>
          )}
          {known?.requestId && <div className={styles.id}>Request {known.requestId}</div>}
        </MessageBarBody>
        {(retry || known?.status === 401) && (
          <MessageBarActions>
            {known?.status === 401 && <SignInAgain />}
            {retry && <Button onClick={retry}>Try again</Button>}
          </MessageBarActions>
        )}
      </MessageBar>
    </div>
  );
}

/** From the page of one thing to the list that it is missing from. */
function ToTheList() {
  const { pathname } = useLocation();
  const list = pathname.match(/^\/(setup\/)?[^/]+/)?.[0];
  if (!list || list === pathname) return null;
  return (
    <>
      {" "}
      <AppLink to={list} inText>
        Go to the list
      </AppLink>
    </>
  );
}
