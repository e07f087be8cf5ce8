/** The pages of the navigation: where each is, who may see it, and its code, which is loaded when it is opened. */
import { AlertRegular, CloudRegular, type FluentIcon } from "@fluentui/react-icons";
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

export const PAGES: readonly PageEntry[] = [
  {
    path: "alerts",
    name: "Alerts",
    group: "Work",
    icon: AlertRegular,
    permissions: ["CloudDevices.Read"],
    Page: lazy(() => import("../pages/alerts/AlertsPage")),
  },
  {
    path: "devices",
    name: "Cloud devices",
    group: "Work",
    icon: CloudRegular,
    permissions: ["CloudDevices.Read"],
    Page: lazy(() => import("../pages/devices/DevicesPage")),
  },
];
