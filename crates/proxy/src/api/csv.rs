//! Tables for spreadsheets, as RFC 4180 has them. A text that such a program would take for a formula is
//! shown as a text.

use std::fmt::Write;

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Nothing,
    Text(String),
    Count(u64),
    Number(f64),
}

impl Cell {
    /// Of two cells of a column, which goes first; what there is not goes last whichever way it is sorted.
    pub(super) fn order(&self, other: &Self, descending: bool) -> std::cmp::Ordering {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let ordered = match (self, other) {
            (Self::Nothing, Self::Nothing) => Equal,
            (Self::Nothing, _) => return Greater,
            (_, Self::Nothing) => return Less,
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Count(one), Self::Count(other)) => one.cmp(other),
            (Self::Number(one), Self::Number(other)) => one.total_cmp(other),
            // A column has cells of one kind.
            _ => Equal,
        };
        if descending { ordered.reverse() } else { ordered }
    }
}

/// A table with this head.
pub(super) fn table(head: &[&str], rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let mut text = head.join(",") + "\r\n";
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            write_cell(cell, &mut text);
        }
        text.push_str("\r\n");
    }
    text
}

fn write_cell(cell: &Cell, text: &mut String) {
    // Writing to a text does not fail.
    let _ = match cell {
        Cell::Nothing => Ok(()),
        Cell::Text(value) => {
            text.push('"');
            if value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
                text.push('\'');
            }
            text.push_str(&value.replace('"', "\"\""));
            text.push('"');
            Ok(())
        }
        Cell::Count(value) => write!(text, "{value}"),
        Cell::Number(value) => write!(text, "{value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_text_whatever_it_says() {
        let cells = ["farm.r1", "=1+1", "-2", "@x", "a\"b,c\r\nd", "\t=1", ""];
        let rows = cells.iter().map(|cell| vec![Cell::Text((*cell).to_owned()), Cell::Count(1)]);
        let text = table(&["name", "rigs"], rows);
        assert_eq!(
            text,
            "name,rigs\r\n\"farm.r1\",1\r\n\"'=1+1\",1\r\n\"'-2\",1\r\n\"'@x\",1\r\n\
             \"a\"\"b,c\r\nd\",1\r\n\"'\t=1\",1\r\n\"\",1\r\n"
        );
        assert_eq!(
            table(&["a"], [vec![Cell::Nothing, Cell::Number(0.5)]].into_iter()),
            "a\r\n,0.5\r\n"
        );
    }

    #[test]
    fn what_there_is_not_goes_last() {
        use std::cmp::Ordering::{Greater, Less};
        let (none, one, two) = (Cell::Nothing, Cell::Number(1.0), Cell::Number(2.0));
        assert_eq!((one.order(&two, false), one.order(&two, true)), (Less, Greater));
        assert_eq!((one.order(&none, false), one.order(&none, true)), (Less, Less));
    }
}
