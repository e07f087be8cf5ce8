/** The pages of the navigation: where each is, who may see it, and its code, which is loaded when it is opened. */
import { CloudRegular, type FluentIcon, TicketDiagonalRegular } from "@fluentui/react-icons";
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
    path: "devices",
    name: "Cloud devices",
    group: "Work",
    icon: CloudRegular,
    permissions: ["CloudDevices.Read"],
    Page: lazy(() => import("../pages/devices/DevicesPage")),
  },
  {
    path: "setup/sinks",
    name: "Ticket sinks",
    group: "Setup",
    icon: TicketDiagonalRegular,
    permissions: ["CloudDevices.Read"],
    Page: lazy(() => import("../pages/sinks/SinksPage")),
  },
];
