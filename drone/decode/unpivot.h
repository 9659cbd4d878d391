// Makes long rows of the rows of a wide table, as source.unpivot says. Immutable, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_UNPIVOT_H_
#define CHARTLY_DRONE_DECODE_UNPIVOT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/normalize/row.h"
#include "common/profile/profile.h"
#include "drone/decode/decoder.h"

namespace chartly::drone {

class Unpivot {
 public:
  // `paths` may name the two made fields and the columns of config.keep and config.skip. InvalidArgument:
  // PAYLOAD_NO_COLUMN if one of those, or a path, is not there; PAYLOAD_DUPLICATE_COLUMN, PAYLOAD_TOO_MANY_COLUMNS.
  static absl::StatusOr<Unpivot> Create(const UnpivotConfig& config, const std::vector<std::string>& paths,
                                        const std::vector<std::string>& names);

  // Gives `sink` one row for every column that is neither kept nor skipped, in the order of the table; adds them to
  // `rows`, which numbers them. The slots of `wide` are the columns.
  absl::Status Emit(const Row& wide, RowSink& sink, int64_t& rows) const;

 private:
  class LongRow;
  static constexpr size_t kNameSlot = ~size_t{0};
  static constexpr size_t kValueSlot = ~size_t{0} - 1;

  std::vector<std::string> names_;
  std::vector<size_t> slots_;   // column of a path, kNameSlot or kValueSlot
  std::vector<size_t> keep_;    // columns
  std::vector<size_t> melted_;  // columns that become rows
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_UNPIVOT_H_
