import { Navigate, useSearchParams } from "react-router";
import { useSession } from "../session";
import { Denied } from "../ui/Denied";
import { PAGES } from "./pages";

/** Where the portal opens: the first page that the person may see, or where Microsoft's sign-in page sends back to. */
export function Home() {
  const { can } = useSession();
  const [query] = useSearchParams();
  if (query.has("connection") || query.has("error")) return <Navigate replace to={`/setup/connections?${query}`} />;
  const first = PAGES.find((page) => page.permissions.length === 0 || can(...page.permissions));
  return first ? <Navigate replace to={`/${first.path}`} /> : <Denied permissions={["CloudDevices.Read"]} />;
}
