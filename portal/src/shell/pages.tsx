/** Every page: where it is, who may see it, and its code, which is loaded when it is opened. */
import {
  AlertRegular,
  BuildingRegular,
  CalendarClockRegular,
  CloudRegular,
  DataPieRegular,
  DocumentBulletListClockRegular,
  FlashRegular,
  type FluentIcon,
  PeopleTeamRegular,
  PersonKeyRegular,
  PlugConnectedRegular,
  ShieldTaskRegular,
  TaskListLtrRegular,
  TicketDiagonalRegular,
  WrenchRegular,
} from "@fluentui/react-icons";
import { type ComponentType, lazy } from "react";

export interface PageEntry {
  /** Without a leading slash. */
  path: string;
  /** Any of these is enough; none: everybody who is signed in. */
  permissions: readonly string[];
  Page: ComponentType;
}

/** A page of the navigation. */
export interface NavigationEntry extends PageEntry {
  name: string;
  /** Heading in the navigation. */
  group: "Work" | "Setup";
  icon: FluentIcon;
}

const READ_DEVICES = ["CloudDevices.Read"];
const ACT_ON_DEVICES = ["CloudDevices.Update"];
const READ_CLIENTS = ["CloudDevices.Read", "Microsoft365.Read"];
const MANAGE_ALERTS = ["Alerts.Manage"];
const ADMIN = ["Integration.Admin"];
/** Who may see operations: of each only those of what they may read. */
export const OPERATION_READERS = [...READ_CLIENTS, "Collections.Read", ...ADMIN];

/** The navigation, in its order. */
export const PAGES: readonly NavigationEntry[] = [
  {
    path: "overview",
    name: "Overview",
    group: "Work",
    icon: DataPieRegular,
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/overview/OverviewPage")),
  },
  {
    path: "devices",
    name: "Cloud devices",
    group: "Work",
    icon: CloudRegular,
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/devices/DevicesPage")),
  },
  {
    path: "alerts",
    name: "Alerts",
    group: "Work",
    icon: AlertRegular,
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/alerts/AlertsPage")),
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
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/schedules/SchedulesPage")),
  },
  {
    path: "maintenance",
    name: "Maintenance",
    group: "Work",
    icon: WrenchRegular,
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/maintenance/MaintenancePage")),
  },
  {
    path: "setup/connections",
    name: "Connections",
    group: "Setup",
    icon: PlugConnectedRegular,
    permissions: ADMIN,
    Page: lazy(() => import("../pages/connections/ConnectionsPage")),
  },
  {
    path: "setup/tenants",
    name: "Tenants",
    group: "Setup",
    icon: PeopleTeamRegular,
    permissions: READ_CLIENTS,
    Page: lazy(() => import("../pages/tenants/TenantsPage")),
  },
  {
    path: "setup/sites",
    name: "Sites",
    group: "Setup",
    icon: BuildingRegular,
    permissions: READ_CLIENTS,
    Page: lazy(() => import("../pages/sites/SitesPage")),
  },
  {
    path: "setup/sinks",
    name: "Ticket sinks",
    group: "Setup",
    icon: TicketDiagonalRegular,
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/sinks/SinksPage")),
  },
  {
    path: "setup/policy",
    name: "Alert policy",
    group: "Setup",
    icon: DocumentBulletListClockRegular,
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/policy/PolicyPage")),
  },
  {
    path: "setup/events",
    name: "Events",
    group: "Setup",
    icon: FlashRegular,
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/events/EventsPage")),
  },
  {
    path: "setup/access",
    name: "Access",
    group: "Setup",
    icon: PersonKeyRegular,
    permissions: ADMIN,
    Page: lazy(() => import("../pages/access/AccessPage")),
  },
  {
    path: "setup/audit",
    name: "Audit log",
    group: "Setup",
    icon: ShieldTaskRegular,
    permissions: ADMIN,
    Page: lazy(() => import("../pages/audit/AuditPage")),
  },
];

const WizardPage = lazy(() => import("../pages/connections/WizardPage"));
const ScheduleFormPage = lazy(() => import("../pages/schedules/ScheduleFormPage"));
const SinkFormPage = lazy(() => import("../pages/sinks/SinkFormPage"));

/** Pages of one thing, which lists lead to. */
export const DETAILS: readonly PageEntry[] = [
  {
    path: "devices/:deviceId",
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/devices/DevicePage")),
  },
  {
    path: "alerts/:alertId",
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/alerts/AlertPage")),
  },
  {
    path: "operations/:operationId",
    permissions: OPERATION_READERS,
    Page: lazy(() => import("../pages/operations/OperationPage")),
  },
  { path: "schedules/new", permissions: ACT_ON_DEVICES, Page: ScheduleFormPage },
  { path: "schedules/:scheduleId/edit", permissions: ACT_ON_DEVICES, Page: ScheduleFormPage },
  {
    path: "schedules/:scheduleId",
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/schedules/SchedulePage")),
  },
  { path: "setup/connections/new", permissions: ADMIN, Page: WizardPage },
  { path: "setup/connections/:connectionId/setup", permissions: ADMIN, Page: WizardPage },
  {
    path: "setup/tenants/:tenantId",
    permissions: READ_CLIENTS,
    Page: lazy(() => import("../pages/tenants/TenantPage")),
  },
  {
    path: "setup/policy/versions",
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/policy/VersionsPage")),
  },
  { path: "setup/sinks/new", permissions: MANAGE_ALERTS, Page: SinkFormPage },
  { path: "setup/sinks/:sinkId/edit", permissions: MANAGE_ALERTS, Page: SinkFormPage },
  {
    path: "setup/sinks/:sinkId",
    permissions: READ_DEVICES,
    Page: lazy(() => import("../pages/sinks/SinkPage")),
  },
];
