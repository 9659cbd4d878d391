// What a person should know before trusting a correlation: that both sides follow time, that totals stand among their
// members. Pure functions that add warnings to the answer.
#ifndef CHARTLY_CONTROL_REPORTER_CAVEATS_H_
#define CHARTLY_CONTROL_REPORTER_CAVEATS_H_

#include <vector>

#include "chartly/v1/reporter.pb.h"
#include "control/reporter/table.h"

namespace chartly::reporter {

// If both columns go along with time, says what is left of their correlation after differencing: from one time to the
// next, within rows that are equal in all other keys.
void WarnOfTrend(const Table& table, const Column& x, const Column& y, v1::RunReportResponse& answer);

// Names values of a key that look like totals of others: by their name (World, High income), or because a row is the
// sum of the rest.
void WarnOfAggregates(const Table& table, const std::vector<const Column*>& measures, v1::RunReportResponse& answer);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_CAVEATS_H_
