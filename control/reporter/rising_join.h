// Joins two sides whose rows lie in order of key, no key twice, as the store mostly has them: in one walk over the
// codes as they lie, without making keys. Pure function.
#ifndef CHARTLY_CONTROL_REPORTER_RISING_JOIN_H_
#define CHARTLY_CONTROL_REPORTER_RISING_JOIN_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "control/reporter/join.h"
#include "control/reporter/join_keys.h"
#include "control/reporter/memory_budget.h"
#include "control/reporter/pair_runs.h"

namespace chartly::reporter {

// The joined rows in order of key; nothing if rows of a side do not rise so, or one lacks a part of its key, which
// shows on the way. Requires: keys without rules and nearest values. ResourceExhausted (REPORT_TOO_LARGE) as PairRuns.
absl::StatusOr<std::optional<PairRuns>> JoinRising(const JoinKeys& keys, JoinKind kind, int64_t rows_max,
                                                   Reservation& reservation);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_RISING_JOIN_H_
