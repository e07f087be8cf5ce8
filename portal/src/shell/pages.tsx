/** The pages of the navigation: where each is, who may see it, and its code, which is loaded when it is opened. */
<<<<<<< HEAD
import { CalendarClockRegular, CloudRegular, type FluentIcon, TaskListLtrRegular } from "@fluentui/react-icons";
=======
import {
  BuildingRegular,
  CloudRegular,
  type FluentIcon,
  PeopleTeamRegular,
  PlugConnectedRegular,
} from "@fluentui/react-icons";
>>>>>>> p3
import { type ComponentType, lazy } from "react";

export interface PageEntry {
  /** Without a leading slash. */
  path: string;
  name: string;
  /** Heading in the navigation. */
  group: "Work" | "Setup";
  icon: FluentIcon;
  /** Any of these is enough; none: everybody who is signed in. */
  permissions: readonly string[];
  Page: ComponentType;
}

/** Who may see operations: of each only those of what they may read. */
export const OPERATION_READERS = ["CloudDevices.Read", "Microsoft365.Read", "Collections.Read", "Integration.Admin"];

export const PAGES: readonly PageEntry[] = [
  {
    path: "devices",
    name: "Cloud devices",
    group: "Work",
    icon: CloudRegular,
    permissions: ["CloudDevices.Read"],
    Page: lazy(() => import("../pages/devices/DevicesPage")),
  },
  {
<<<<<<< HEAD
    path: "operations",
    name: "Operations",
    group: "Work",
    icon: TaskListLtrRegular,
    permissions: OPERATION_READERS,
    Page: lazy(() => import("../pages/operations/OperationsPage")),
  },
  {
    path: "schedules",
    name: "Schedules",
    group: "Work",
    icon: CalendarClockRegular,
    permissions: ["CloudDevices.Read"],
    Page: lazy(() => import("../pages/schedules/SchedulesPage")),
=======
    path: "setup/connections",
    name: "Connections",
    group: "Setup",
    icon: PlugConnectedRegular,
    permissions: ["Integration.Admin"],
    Page: lazy(() => import("../pages/connections/ConnectionsPage")),
  },
  {
    path: "setup/tenants",
    name: "Tenants",
    group: "Setup",
    icon: PeopleTeamRegular,
    permissions: ["CloudDevices.Read", "Microsoft365.Read"],
    Page: lazy(() => import("../pages/tenants/TenantsPage")),
  },
  {
    path: "setup/sites",
    name: "Sites",
    group: "Setup",
    icon: BuildingRegular,
    permissions: ["CloudDevices.Read", "Microsoft365.Read"],
    Page: lazy(() => import("../pages/sites/SitesPage")),
>>>>>>> p3
  },
];
