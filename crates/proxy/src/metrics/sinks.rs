//! What became of the records for each sink.

use super::sheet::Sheet;
use crate::sinks::SinkCounts;

pub(super) fn encode(sheet: &mut Sheet<'_>, sinks: &[SinkCounts]) -> std::fmt::Result {
    let delivered = rows(sinks, |sink| sink.delivered);
    sheet.counter("sink_records", "Records that a sink has delivered", delivered)?;
    let dropped = rows(sinks, |sink| sink.dropped);
    sheet.counter("sink_dropped", "Records that a sink has lost", dropped)?;
    let waiting = rows(sinks, |sink| sink.waiting as f64);
    sheet.gauge("sink_waiting", "Records that wait for a sink", waiting)
}

/// A row for each.
fn rows<V>(
    sinks: &[SinkCounts],
    value: fn(&SinkCounts) -> V,
) -> impl Iterator<Item = ([(&'static str, &str); 1], V)> {
    sinks.iter().map(move |sink| ([("sink", &*sink.name)], value(sink)))
}
