/** The pages of the navigation: where each is, who may see it, and its code, which is loaded when it is opened. */
import { CalendarClockRegular, CloudRegular, type FluentIcon, TaskListLtrRegular } from "@fluentui/react-icons";
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
  },
];
