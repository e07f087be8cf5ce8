/** Step 3: a partner administrator signs in at Microsoft, and comes back here. */
import {
  Button,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  Text,
  tokens,
} from "@fluentui/react-components";
import { KeyRegular } from "@fluentui/react-icons";
import { useSearchParams } from "react-router";
import { Failure } from "../../../ui/Failure";
import { Mark } from "../../../ui/status";
import { Time } from "../../../ui/time";
import type { Connection } from "../state";
import { useSignIn } from "../useSignIn";
import { StepFrame } from "./StepFrame";

const useStyles = makeStyles({
  root: { display: "grid", gap: tokens.spacingVerticalM, maxWidth: "44rem" },
  list: { margin: 0, paddingLeft: tokens.spacingHorizontalXL, display: "grid", gap: tokens.spacingVerticalXS },
  who: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalXS },
  button: { justifySelf: "start" },
});
const MESSAGE_CHARS = 500;

export function SignInStep({ connection }: { connection: Connection }) {
  const styles = useStyles();
  const [query] = useSearchParams();
  const signIn = useSignIn();
  const refused = query.get("error") ? (query.get("message") ?? query.get("error") ?? "") : undefined;
  const signedIn = connection.authorizedAt !== undefined && connection.status !== "needsConsent";
  return (
    <StepFrame
      step="signIn"
      title="Sign in"
      text="You leave for Microsoft's own page, sign in there, accept the permissions if it asks, and come back here. Tenantry never sees the password."
      wanting={signedIn ? undefined : "Sign in first."}
    >
      <div className={styles.root}>
        {refused !== undefined && (
          <MessageBar intent="error" layout="multiline">
            <MessageBarBody>
              <MessageBarTitle>The sign-in failed</MessageBarTitle>
              {refused.slice(0, MESSAGE_CHARS)}
            </MessageBarBody>
          </MessageBar>
        )}
        {connection.needsConsentReason && (
          <MessageBar intent="warning" layout="multiline">
            <MessageBarBody>
              <MessageBarTitle>Microsoft no longer takes the sign-in</MessageBarTitle>
              {connection.needsConsentReason}
            </MessageBarBody>
          </MessageBar>
        )}
        {connection.authorizedBy && (
          <div className={styles.who}>
            <Mark tone={signedIn ? "good" : "quiet"}>{`${connection.authorizedBy} signed in`}</Mark>
            <Time value={connection.authorizedAt} />
          </div>
        )}
        <Text>The account that signs in should be one made for this alone, and</Text>
        <ul className={styles.list}>
          <li>belong to your own tenant, the one of step 1</li>
          <li>sign in with Microsoft's multifactor authentication</li>
          <li>be in AdminAgents, and in the security group that your GDAP relationships admit</li>
        </ul>
        <Text>
          The first time, and when permissions were added, let a Privileged Role Administrator or Global Administrator
          of your tenant sign in here before it, and accept for the whole organization. The account needs no such role.
        </Text>
        <Button
          className={styles.button}
          appearance={signedIn ? "secondary" : "primary"}
          icon={<KeyRegular />}
          disabledFocusable={signIn.isPending || connection.status === "disabling"}
          onClick={() => signIn.mutate(connection.id)}
        >
          {signedIn ? "Generate a new token" : "Generate token"}
        </Button>
        {signIn.error && <Failure error={signIn.error} />}
      </div>
    </StepFrame>
  );
}
