// A row in quarantine, read again from its raw text: JSON objects, the form in which most sources give rows. Others
// stand in their payload with what gives them meaning (a header line, namespaces), which is not there any more.
//
// Not thread-safe. Fields read as the drone's decoder reads them: numbers with all their digits, text unescaped.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RAW_ROW_H_
#define CHARTLY_CONTROL_AGGREGATOR_RAW_ROW_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/normalize/row.h"
#include "common/normalize/source_path.h"
#include "common/profile/profile.h"

namespace chartly::aggregator {

class RawRow final : public Row {
 public:
  // `paths` are those of the normalizer. FailedPrecondition (REDRIVE_UNSUPPORTED) if rows of this profile cannot be
  // read from their raw text alone: another format, or fields from outside of the row.
  static absl::StatusOr<std::unique_ptr<RawRow>> Create(const Profile& profile, const std::vector<std::string>& paths);
  ~RawRow() override;

  // Reads the text. InvalidArgument (ROW_UNREADABLE) if it is no JSON object, as when it was cut.
  absl::Status Read(const std::string& raw);

  // Valid until the next Read.
  chartly::Field Get(size_t slot) const override;
  std::string Raw() const override { return raw_; }

 private:
  struct Parser;
  explicit RawRow(std::vector<Path> paths);

  const std::vector<Path> paths_;
  const std::unique_ptr<Parser> parser_;
  std::string raw_;
  std::vector<chartly::Field> fields_;
  std::vector<std::string> texts_;  // what the fields point to
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RAW_ROW_H_
