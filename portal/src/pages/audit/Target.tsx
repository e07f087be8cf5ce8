/** What an entry is about: by its name where that is known, as a link where it has a page. */
import { createContext, useContext } from "react";
import { AppLink } from "../../ui/AppLink";
import type { Names } from "../../ui/Task";
import type { Entry } from "./AuditPage";

/** Id -> name of what has a list: tenants, connections and sites. */
export const Known = createContext<Names>({});

export function Target({ entry }: { entry: Entry }) {
  const known = useContext(Known);
  const name = targetName(entry, known);
  const path = pathOf(entry);
  return path ? <AppLink to={path}>{name}</AppLink> : name;
}

export function Tenant({ id }: { id: string }) {
  return useContext(Known)[id] ?? id;
}

/** Its name as the entry or a list tells it, else what it is; an id where nothing else is known. */
export function targetName({ action, target, details }: Entry, known: Names): string {
  if (typeof details.name === "string" && details.name) return details.name;
  // An entry of a device's action that was written before it held the name.
  if (typeof details.resourceId === "string") return details.resourceId.split("/").at(-1) ?? target;
  const [area = ""] = action.split(".");
  if (area === "devices") {
    const count = Number(details.devices);
    return count ? `${count.toLocaleString()} ${count === 1 ? "device" : "devices"}` : "An operation";
  }
  if (area === "policy") return "Alert policy";
  if (action === "tenants.refresh" && target === "all") return "Every connection";
  return known[target] ?? target;
}

/** The page of what it is about, if that has one. */
function pathOf({ action, target }: Entry): string | undefined {
  const [area = "", verb] = action.split(".");
  if (verb === "delete" || verb === "remove") return undefined;
  const id = encodeURIComponent(target);
  switch (area) {
    case "device":
      return `/devices/${id}`;
    case "devices":
      return `/operations/${id}`;
    case "alert":
      return `/alerts/${id}`;
    case "schedules":
      return `/schedules/${id}`;
    case "sink":
      return `/setup/sinks/${id}`;
    case "tenants":
      return verb === "refresh" ? undefined : `/setup/tenants/${id}`;
    case "connection":
      return `/setup/connections/${id}/setup`;
    case "site":
      return `/setup/sites?search=${id}`;
    case "policy":
      return "/setup/policy";
    case "access":
      return `/setup/access?principal=${id}`;
    default:
      return undefined;
  }
}
