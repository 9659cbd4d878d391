#include "drone/decode/unpivot.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/columns.h"

namespace chartly::drone {

class Unpivot::LongRow final : public Row {
 public:
  LongRow(const Unpivot& unpivot, const Row& wide) : unpivot_(unpivot), wide_(wide) {}

  void Choose(size_t column) { column_ = column; }

  Field Get(size_t slot) const override {
    size_t column = unpivot_.slots_[slot];
    if (column == kNameSlot) return {Field::Kind::kText, unpivot_.names_[column_]};
    return wide_.Get(column == kValueSlot ? column_ : column);
  }

  // The long row as a line of CSV: the wide one, given once for each of its columns, could be a thousand times as much.
  std::string Raw() const override {
    std::string out;
    for (size_t column : unpivot_.keep_) absl::StrAppend(&out, Quoted(wide_.Get(column).text), ",");
    absl::StrAppend(&out, Quoted(unpivot_.names_[column_]), ",", Quoted(wide_.Get(column_).text));
    return out;
  }

 private:
  static std::string Quoted(absl::string_view text) {
    if (text.find_first_of("\",\r\n") == absl::string_view::npos) return std::string(text);
    std::string out = "\"";
    for (char c : text) out.append(c == '"' ? 2 : 1, c);
    return out + "\"";
  }

  const Unpivot& unpivot_;
  const Row& wide_;
  size_t column_ = 0;
};

absl::StatusOr<Unpivot> Unpivot::Create(const UnpivotConfig& config, const std::vector<std::string>& paths,
                                        const std::vector<std::string>& names) {
  Unpivot unpivot;
  unpivot.names_ = names;
  ASSIGN_OR_RETURN(unpivot.keep_, BindColumns(config.keep, names));
  ASSIGN_OR_RETURN(std::vector<size_t> skip, BindColumns(config.skip, names));
  std::vector<bool> melts(names.size(), true);
  for (size_t column : unpivot.keep_) melts[column] = false;
  for (size_t column : skip) melts[column] = false;
  for (size_t i = 0; i < names.size(); ++i) {
    if (melts[i]) unpivot.melted_.push_back(i);
  }
  for (const std::string& path : paths) {
    std::string name = ColumnName(path);
    if (name == config.name || name == config.value) {
      unpivot.slots_.push_back(name == config.name ? kNameSlot : kValueSlot);
      continue;
    }
    ASSIGN_OR_RETURN(std::vector<size_t> column, BindColumns({path}, names));
    if (melts[column[0]]) {
      return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_COLUMN",
                   absl::StrCat("column \"", name, "\" becomes rows of its own; map \"", config.value,
                                "\", or list the column in source.unpivot.keep"),
                   {{"column", name}});
    }
    unpivot.slots_.push_back(column[0]);
  }
  return unpivot;
}

absl::Status Unpivot::Emit(const Row& wide, RowSink& sink, int64_t& rows) const {
  LongRow row(*this, wide);
  for (size_t column : melted_) {
    row.Choose(column);
    RETURN_IF_ERROR(sink.OnRow(row, static_cast<uint32_t>(++rows)));
  }
  return absl::OkStatus();
}

}  // namespace chartly::drone
