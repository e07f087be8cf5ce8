/** Signing in again without leaving the page, so that what was typed stays. */
import { Button, Text } from "@fluentui/react-components";
import { createContext, useContext, useState } from "react";

/** Signs in in a window of its own; given by the session. */
export const Again = createContext<(() => Promise<void>) | undefined>(undefined);

export function SignInAgain() {
  const again = useContext(Again);
  const [said, setSaid] = useState("");
  if (!again) return null;
  // The window may be closed unseen by us: it can be opened once more at any time.
  const signIn = () =>
    again().then(
      () => setSaid("You are signed in. Press once more what you pressed."),
      (error: Error) => setSaid(`Nobody was signed in: ${error.message}. Let this site open windows, then try again.`),
    );
  return (
    <>
      <Text role="status">{said}</Text>
      <Button onClick={() => void signIn()}>Sign in</Button>
    </>
  );
}
