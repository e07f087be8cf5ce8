import {
  Avatar,
  Button,
  Menu,
  MenuDivider,
  MenuItem,
  MenuItemRadio,
  MenuList,
  MenuPopover,
  MenuTrigger,
  makeStyles,
  mergeClasses,
  OverlayDrawer,
  Toaster,
  tokens,
} from "@fluentui/react-components";
import { NavigationRegular, SignOutRegular } from "@fluentui/react-icons";
import { useEffect, useRef, useState } from "react";
import { Link, NavLink, Outlet, useLocation } from "react-router";
import { useSession } from "../session";
import { TOASTER } from "../ui/toasts";
import { type NavigationEntry, PAGES } from "./pages";
import { RunningOperations } from "./RunningOperations";
import { type Theme, useTheme } from "./theme";

const PHONE = "@media (max-width: 800px)";
const useStyles = makeStyles({
  root: { display: "grid", gridTemplateRows: "auto 1fr", minHeight: "100vh" },
  skip: {
    position: "absolute",
    left: "-999px",
    ":focus": {
      left: tokens.spacingHorizontalS,
      top: tokens.spacingVerticalS,
      zIndex: 2,
      padding: tokens.spacingHorizontalS,
      backgroundColor: tokens.colorNeutralBackground1,
    },
  },
  top: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    padding: `0 ${tokens.spacingHorizontalL}`,
    height: "48px",
    backgroundColor: tokens.colorNeutralBackground3,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  brand: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    color: tokens.colorNeutralForeground1,
    textDecorationLine: "none",
    fontWeight: tokens.fontWeightSemibold,
    fontSize: tokens.fontSizeBase400,
    marginRight: "auto",
  },
  burger: { display: "none", [PHONE]: { display: "inline-flex" } },
  body: {
    display: "grid",
    gridTemplateColumns: "220px minmax(0, 1fr)",
    [PHONE]: { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  side: {
    backgroundColor: tokens.colorNeutralBackground2,
    borderRight: `1px solid ${tokens.colorNeutralStroke2}`,
    [PHONE]: { display: "none" },
  },
  nav: { padding: tokens.spacingVerticalM, position: "sticky", top: 0 },
  group: {
    margin: `${tokens.spacingVerticalM} 0 ${tokens.spacingVerticalXS}`,
    padding: `0 ${tokens.spacingHorizontalM}`,
    color: tokens.colorNeutralForeground3,
    fontSize: tokens.fontSizeBase200,
    fontWeight: tokens.fontWeightSemibold,
  },
  list: { listStyleType: "none", margin: 0, padding: 0 },
  link: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
    padding: `${tokens.spacingVerticalSNudge} ${tokens.spacingHorizontalM}`,
    borderRadius: tokens.borderRadiusMedium,
    color: tokens.colorNeutralForeground1,
    textDecorationLine: "none",
    fontSize: tokens.fontSizeBase300,
    ":hover": { backgroundColor: tokens.colorNeutralBackground2Hover },
  },
  icon: { fontSize: "20px", flexShrink: 0 },
  here: {
    backgroundColor: tokens.colorNeutralBackground2Selected,
    fontWeight: tokens.fontWeightSemibold,
    boxShadow: `inset 3px 0 0 ${tokens.colorCompoundBrandForeground1}`,
  },
  main: {
    padding: `${tokens.spacingVerticalL} ${tokens.spacingHorizontalXXL}`,
    outlineStyle: "none",
    minWidth: 0,
    [PHONE]: { padding: tokens.spacingHorizontalM },
  },
});

/** The frame of every page: the bar on top, the navigation, and the page. */
export function Shell() {
  const styles = useStyles();
  const [open, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const before = useRef(pathname);
  useEffect(() => {
    // A reader of the screen is told of the new page, and the keyboard goes on from its beginning.
    if (before.current !== pathname) main.current?.focus();
    before.current = pathname;
    setOpen(false);
  }, [pathname]);
  return (
    <div className={styles.root}>
      <a className={styles.skip} href="#main">
        Skip to the page
      </a>
      <header className={styles.top}>
        <Button
          appearance="subtle"
          className={styles.burger}
          icon={<NavigationRegular />}
          aria-label="Open the navigation"
          onClick={() => setOpen(true)}
        />
        <Link to="/" className={styles.brand}>
          <img src="/favicon.svg" width={22} height={22} alt="" />
          Tenantry
        </Link>
        <RunningOperations />
        <Person />
      </header>
      <div className={styles.body}>
        <div className={styles.side}>
          <Navigation />
        </div>
        <OverlayDrawer open={open} onOpenChange={(_, data) => setOpen(data.open)} size="small">
          <Navigation />
        </OverlayDrawer>
        <main id="main" ref={main} tabIndex={-1} className={styles.main}>
          <Outlet />
        </main>
      </div>
      <Toaster toasterId={TOASTER} position="bottom-end" />
    </div>
  );
}

function Navigation() {
  const styles = useStyles();
  const { can } = useSession();
  const seen = PAGES.filter((page) => page.permissions.length === 0 || can(...page.permissions));
  return (
    <nav aria-label="Pages" className={styles.nav}>
      {(["Work", "Setup"] as const).map((group) => {
        const pages = seen.filter((page) => page.group === group);
        return pages.length === 0 ? null : (
          <div key={group}>
            <div className={styles.group}>{group}</div>
            <ul className={styles.list}>
              {pages.map((page) => (
                <li key={page.path}>
                  <PageLink page={page} />
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}

function PageLink({ page }: { page: NavigationEntry }) {
  const styles = useStyles();
  return (
    <NavLink to={`/${page.path}`} className={({ isActive }) => mergeClasses(styles.link, isActive && styles.here)}>
      <page.icon className={styles.icon} aria-hidden />
      {page.name}
    </NavLink>
  );
}

function Person() {
  const { me, signOut } = useSession();
  const { choice, choose } = useTheme();
  return (
    <Menu
      checkedValues={{ theme: [choice] }}
      onCheckedValueChange={(_, data) => choose((data.checkedItems[0] ?? "system") as Theme)}
    >
      <MenuTrigger disableButtonEnhancement>
        <Button
          appearance="subtle"
          icon={<Avatar name={me.name} size={28} aria-hidden />}
          aria-label={`${initials(me.name)}: ${me.name}, theme, sign out`}
        />
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          <MenuItem disabled>{me.name}</MenuItem>
          <MenuDivider />
          <MenuItemRadio name="theme" value="system">
            Theme of the system
          </MenuItemRadio>
          <MenuItemRadio name="theme" value="light">
            Light
          </MenuItemRadio>
          <MenuItemRadio name="theme" value="dark">
            Dark
          </MenuItemRadio>
          <MenuDivider />
          <MenuItem icon={<SignOutRegular />} onClick={signOut}>
            Sign out
          </MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}

/** As the avatar shows them: what is read aloud holds what is seen. */
function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  return [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => word?.charAt(0).toUpperCase() ?? "").join("");
}
