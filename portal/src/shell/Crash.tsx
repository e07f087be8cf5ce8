import { useRouteError } from "react-router";
import { Failure } from "../ui/Failure";

/** A page that failed to draw or to load. A new version of the portal removes the parts of the old one: reload. */
export function Crash() {
  const error = useRouteError();
  const shown = error instanceof Error ? error : new Error("This page failed.");
  return <Failure whole error={shown} retry={() => window.location.reload()} />;
}
