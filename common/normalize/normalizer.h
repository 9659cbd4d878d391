// Turns source rows into records by the mapping of a profile. Pure and deterministic: the same row gives the same
// outcome on every machine. The drone, `chartly profile test` and re-drive use this one class.
//
// Not thread-safe; one a run.
#ifndef CHARTLY_COMMON_NORMALIZE_NORMALIZER_H_
#define CHARTLY_COMMON_NORMALIZE_NORMALIZER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/batch/batch.h"
#include "common/normalize/row.h"
#include "common/normalize/row_block.h"
#include "common/profile/profile.h"

namespace chartly {

// Reason codes of quarantined rows (the contracts of the earlier system name them so).
inline constexpr char kReasonMissingRequired[] = "mapping.missing_required_field";
inline constexpr char kReasonMissingKey[] = "mapping.missing_key";
inline constexpr char kReasonLookupMissing[] = "mapping.lookup_missing";
inline constexpr char kReasonCoercionFailed[] = "mapping.type_coercion_failed";
inline constexpr char kReasonOutOfRange[] = "schema.validation_failed";
inline constexpr char kReasonUnreadableRow[] = "schema.row_unreadable";
// A check that does not hold has the reason quality.<name of the check>.

class Normalizer {
 public:
  enum class Outcome { kKept, kFiltered, kQuarantined };

  // InvalidArgument with file position if a function, its arguments, a type, the filter or a check is wrong.
  static absl::StatusOr<std::unique_ptr<Normalizer>> Create(const Profile& profile);

  // Source paths of the mapping, the filter and the checks, each once. Slot i of a Row is paths()[i].
  virtual const std::vector<std::string>& paths() const = 0;
  // Declares the columns on a builder. Requires: called once for each builder, before Add.
  virtual void Bind(BatchBuilder& builder) = 0;
  // Adds one row to the builder, or counts it as filtered, or files it in quarantine with its reason.
  // A row without any measure and any dim (all mapped fields missing or null) is quarantined: an empty record is
  // never a success. So is one whose dims of the key are all missing.
  virtual Outcome Add(const Row& row, uint32_t page, uint32_t row_number, BatchBuilder& builder) = 0;
  // Adds rows `begin` to `end` - 1 of the block, as Add would add each; the first has this number, and each the next
  // one. Records are the same and in the same order, and so are rows in quarantine.
  virtual void AddBlock(const RowBlock& block, size_t begin, size_t end, uint32_t page, uint32_t first_number,
                        BatchBuilder& builder) = 0;
  // Why the last Add quarantined: reason code and message; for on_invalid: fail_run.
  virtual const std::string& last_reason() const = 0;
  virtual const std::string& last_message() const = 0;

  virtual ~Normalizer() = default;
};

// The names of functions for `using`, with one line of help each; docs/formats/profile.md is checked against it.
std::vector<std::pair<std::string, std::string>> FunctionTable();

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_NORMALIZER_H_
