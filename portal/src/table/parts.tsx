/** What stands around the rows of a table. */
import {
  Button,
  Dropdown,
  Menu,
  MenuItem,
  MenuItemCheckbox,
  MenuList,
  MenuPopover,
  MenuTrigger,
  makeStyles,
  Option,
  Text,
  Tooltip,
  tokens,
} from "@fluentui/react-components";
import {
  ChevronLeftRegular,
  ChevronRightRegular,
  ColumnTripleRegular,
  MoreHorizontalRegular,
} from "@fluentui/react-icons";
import { NOTHING, type RowAction, type Selection, selected } from "./model";
import { PAGE_SIZES, type TableState } from "./state";

const useStyles = makeStyles({
  foot: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalM },
  count: { fontVariantNumeric: "tabular-nums", marginRight: "auto" },
  size: { minWidth: "7rem" },
  selected: {
    position: "sticky",
    bottom: 0,
    zIndex: 2,
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    padding: `${tokens.spacingVerticalS} ${tokens.spacingHorizontalM}`,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralBackground3,
  },
  chosen: { fontVariantNumeric: "tabular-nums" },
  deeds: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalS, marginLeft: "auto" },
  deed: { whiteSpace: "nowrap", minWidth: "max-content" },
  reason: {
    display: "block",
    color: tokens.colorNeutralForeground3,
    fontSize: tokens.fontSizeBase200,
    lineHeight: tokens.lineHeightBase200,
    maxWidth: "20rem",
    whiteSpace: "normal",
  },
});

/** The actions of one row; what cannot be done says why. */
export function RowMenu({ actions, name }: { actions: readonly RowAction[]; name: string }) {
  const styles = useStyles();
  return (
    <Menu positioning="below-end">
      <MenuTrigger disableButtonEnhancement>
        <Button appearance="subtle" size="small" icon={<MoreHorizontalRegular />} aria-label={`Actions on ${name}`} />
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {actions.map((action) => (
            <MenuItem
              key={action.label}
              icon={action.icon ?? null}
              disabled={action.disabled !== undefined}
              onClick={action.run}
            >
              {action.label}
              {action.disabled && <span className={styles.reason}>{action.disabled}</span>}
            </MenuItem>
          ))}
          {actions.length === 0 && <MenuItem disabled>Nothing can be done with it</MenuItem>}
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}

/** Which columns are shown. */
export function ColumnMenu(props: {
  columns: readonly { id: string; name: string; hidden?: boolean }[];
  setHidden: (ids: readonly string[]) => void;
  reset: () => void;
}) {
  const shown = props.columns.filter((one) => !one.hidden).map((one) => one.id);
  return (
    <Menu
      checkedValues={{ columns: shown }}
      onCheckedValueChange={(_, { checkedItems }) =>
        props.setHidden(props.columns.map((one) => one.id).filter((id) => !checkedItems.includes(id)))
      }
    >
      <MenuTrigger disableButtonEnhancement>
        <Button appearance="subtle" icon={<ColumnTripleRegular />} aria-label="Columns" />
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {props.columns.map((one) => (
            <MenuItemCheckbox
              key={one.id}
              name="columns"
              value={one.id}
              disabled={shown.length === 1 && shown[0] === one.id}
            >
              {one.name}
            </MenuItemCheckbox>
          ))}
          <MenuItem onClick={props.reset}>Reset columns</MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}

/**
 * How much is selected, and what can be done with it. `total`: all that match may be selected, and are so many.
 *
 * It stands under the rows, so that none moves away from the pointer when the first is ticked.
 */
export function Selected(props: {
  selection: Selection;
  total: number | undefined;
  setSelection: (selection: Selection<never>) => void;
  actions: readonly RowAction[];
}) {
  const styles = useStyles();
  const count = selected(props.selection);
  const all = props.selection.kind === "all";
  const { total } = props;
  return (
    <div className={styles.selected} role="group" aria-label="Selection">
      <span className={styles.chosen} role="status">
        {all
          ? `All ${count.toLocaleString()} that match are selected, on every page.`
          : `${count.toLocaleString()} selected.`}
      </span>
      {!all && total !== undefined && total > count && (
        <Button
          className={styles.deed}
          size="small"
          appearance="transparent"
          onClick={() => props.setSelection({ kind: "all", count: total })}
        >
          Select all {total.toLocaleString()} that match
        </Button>
      )}
      <div className={styles.deeds}>
        {props.actions.map((action) => {
          const button = (
            <Button
              key={action.label}
              className={styles.deed}
              size="small"
              icon={action.icon ?? null}
              disabledFocusable={action.disabled !== undefined}
              onClick={action.run}
            >
              {action.label}
            </Button>
          );
          if (action.disabled === undefined) return button;
          return (
            <Tooltip key={action.label} content={action.disabled} relationship="description">
              {button}
            </Tooltip>
          );
        })}
        <Button
          className={styles.deed}
          size="small"
          appearance="transparent"
          onClick={() => props.setSelection(NOTHING)}
        >
          Uncheck all
        </Button>
      </div>
    </div>
  );
}

/** Which rows these are, and the way to the others. */
export function Foot(props: { state: TableState; rows: number; total: number | undefined; next: string | undefined }) {
  const styles = useStyles();
  const { state, rows, total, next } = props;
  const first = state.trail.length * state.size;
  return (
    <div className={styles.foot}>
      <Text className={styles.count} aria-live="polite">
        {rows > 0 && `${(first + 1).toLocaleString()}-${(first + rows).toLocaleString()}`}
        {rows > 0 && total !== undefined && ` of ${total.toLocaleString()}`}
        {rows === 0 && total === 0 && "None"}
      </Text>
      <Dropdown
        className={styles.size}
        size="small"
        aria-label="Rows on a page"
        value={`${state.size} rows`}
        selectedOptions={[String(state.size)]}
        onOptionSelect={(_, data) => state.setSize(Number(data.optionValue))}
      >
        {PAGE_SIZES.map((size) => (
          <Option key={size} value={String(size)} text={`${size} rows`}>
            {`${size} rows`}
          </Option>
        ))}
      </Dropdown>
      <Button
        size="small"
        icon={<ChevronLeftRegular />}
        aria-label="Page before"
        disabled={state.trail.length === 0}
        onClick={state.back}
      />
      <Button
        size="small"
        icon={<ChevronRightRegular />}
        aria-label="Next page"
        disabled={next === undefined}
        onClick={() => next && state.forward(next)}
      />
    </div>
  );
}
