import { Link } from "react-router";
import { Empty } from "../ui/Empty";

export function NotFound() {
  return (
    <Empty whole title="There is no such page">
      The address may be mistyped, or the page has moved. <Link to="/">Go to the first page</Link>
    </Empty>
  );
}
