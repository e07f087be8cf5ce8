import { useLocation } from "react-router";
import { AppLink } from "./AppLink";
import { Empty } from "./Empty";

/** The person may not see this. */
export function Denied({ permissions }: { permissions: readonly string[] }) {
  const { pathname } = useLocation();
  return (
    <Empty whole title="You have no permission for this page">
      It needs {permissions.join(" or ")}. An administrator of your tenant grants it in Microsoft Entra ID, to the
      enterprise application of Tenantry; sign out and in again afterwards.{" "}
      {/* At the very beginning there is no page to go to. */}
      {pathname !== "/" && (
        <AppLink to="/" inText>
          Go to the first page
        </AppLink>
      )}
    </Empty>
  );
}
