#include "drone/decode/json_row_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/normalize/normalizer.h"
#include "common/status/status.h"
#include "drone/decode/columns.h"
#include "drone/decode/json_zip.h"

namespace chartly::drone {
namespace {

constexpr size_t kFewAlike = 8;  // of which it does not pay to read many at a time

}  // namespace

JsonRowReader::JsonRowReader(const JsonPlan& plan)
    : plan_(plan), binder_(std::make_unique<JsonBinder>(plan.levels.back())), fields_(plan.names.size()) {}

void JsonRowReader::Begin(RowSink& sink, absl::FunctionRef<const Field*(size_t level, size_t path)> outer) {
  sink_ = &sink;
  rows_ = 0;
  header_.clear();
  for (size_t i = 0; i < plan_.slots.size(); ++i) {
    const JsonPlan::Slot& slot = plan_.slots[i];
    if (slot.where == JsonPlan::Where::kKey) {
      fields_[i] = &key_;
    } else if (slot.where == JsonPlan::Where::kNowhere) {
      fields_[i] = &nowhere_;
    } else if (slot.level < plan_.row_level()) {
      fields_[i] = outer(slot.level, slot.path);
    } else {
      fields_[i] = &binder_->field(slot.path);
    }
  }
  blocks_.Begin(sink, fields_.size());
  in_blocks_ = CanGiveBlocks();
  in_lines_ = in_blocks_ && HasCellsOfTheirOwn();
  alike_ = 0;
  if (in_blocks_) binder_->KeepTexts();
}

// What stands around the rows has a life of its own.
bool JsonRowReader::CanGiveBlocks() const {
  auto stays = [this](const JsonPlan::Slot& slot) {
    return slot.where == JsonPlan::Where::kNowhere ||
           (slot.where == JsonPlan::Where::kLevel && slot.level == plan_.row_level());
  };
  return blocks_.wanted() && plan_.shape == RowShape::kObjects &&
         std::all_of(plan_.slots.begin(), plan_.slots.end(), stays);
}

// Of two slots with the same path, the template would fill only one.
bool JsonRowReader::HasCellsOfTheirOwn() const {
  std::vector<size_t> cells;
  for (const JsonPlan::Slot& slot : plan_.slots) {
    if (slot.where == JsonPlan::Where::kLevel) cells.push_back(binder_->cell(slot.path));
  }
  std::sort(cells.begin(), cells.end());
  return std::adjacent_find(cells.begin(), cells.end()) == cells.end();
}

absl::StatusOr<size_t> JsonRowReader::GiveLines(const JsonIndex& index, size_t token) {
  const JsonTemplate* const shape = binder_->shape();
  if (!in_lines_ || alike_ < kFewAlike || shape == nullptr) return token;
  RowBlock& block = blocks_.block();
  columns_.assign(binder_->cells(), nullptr);
  for (size_t i = 0; i < plan_.slots.size(); ++i) {
    if (plan_.slots[i].where == JsonPlan::Where::kLevel) columns_[binder_->cell(plan_.slots[i].path)] = block.next(i);
  }
  // As many are tried as were alike, so that what is tried in vain is no more than what was gained before.
  const size_t tried = std::min({alike_, block.room(), JsonTemplate::kMaxLines});
  const size_t rows = shape->MatchLines(index, token, tried, columns_);
  for (size_t i = 0; i < plan_.slots.size(); ++i) {
    if (plan_.slots[i].where == JsonPlan::Where::kNowhere) std::fill_n(block.next(i), rows, nowhere_);
  }
  alike_ = rows < tried ? rows / 2 : alike_ + rows;
  for (size_t row = 0; row < rows && !block.full(); ++row, token += shape->tokens()) {
    const size_t begin = index.Position(token), last = index.Position(token + shape->tokens() - 1);
    blocks_.Take(absl::string_view(index.text() + begin, last + 1 - begin), static_cast<uint32_t>(++rows_));
  }
  if (block.full()) RETURN_IF_ERROR(blocks_.Flush());
  return token;
}

absl::Status JsonRowReader::Flush() {
  absl::Status status = blocks_.Flush();
  binder_->ForgetTexts();
  return status;
}

bool JsonRowReader::Read(const JsonIndex& index, size_t token, int depth) {
  index_ = &index;
  token_ = token;
  return binder_->Read(index, token, depth);
}

void JsonRowReader::SetKey(absl::string_view key) {
  key_text_.assign(key.data(), key.size());
  key_ = {Field::Kind::kText, key_text_};
}

absl::string_view JsonRowReader::Source() const { return JsonDocument(*index_).Source(token_); }

std::string JsonRowReader::Raw() const {
  absl::string_view source = Source();
  if (plan_.shape != RowShape::kKeyed) return std::string(source);
  return absl::StrCat("{\"", absl::Utf8SafeCEscape(key_text_), "\":", source, "}");
}

absl::Status JsonRowReader::Give(const Row& row) { return sink_->OnRow(row, static_cast<uint32_t>(++rows_)); }

absl::Status JsonRowReader::GiveBad(absl::string_view why, absl::string_view raw) {
  RETURN_IF_ERROR(Flush());
  return sink_->OnBadRow(kReasonUnreadableRow, why, raw, static_cast<uint32_t>(++rows_));
}

absl::Status JsonRowReader::Give() {
  switch (plan_.shape) {
    case RowShape::kObjects:
      if (in_blocks_) return GiveInBlock();
      return Give(*this);
    case RowShape::kKeyed:
      return Give(*this);
    case RowShape::kHeaderRow:
      return header_.empty() ? GiveHeader() : GiveCells();
    case RowShape::kZipped:
      return GiveZipped();
  }
  return absl::OkStatus();
}

absl::Status JsonRowReader::GiveInBlock() {
  alike_ = binder_->shape() == nullptr ? 0 : alike_ + 1;
  const size_t begin = index_->Position(token_);
  const size_t last = index_->Position(next() - 1);
  const bool container = next() > token_ + 1;  // which ends with the byte of its last token
  const absl::string_view raw = container ? absl::string_view(index_->text() + begin, last + 1 - begin) : Source();
  return blocks_.Add(fields_.data(), raw, static_cast<uint32_t>(++rows_));
}

absl::Status JsonRowReader::GiveHeader() {
  JsonDocument document(*index_);
  if (document.IsArray(token_)) {
    for (size_t i = document.First(token_); i != JsonDocument::kNone; i = document.Following(document.Skip(i))) {
      header_.emplace_back(absl::StripAsciiWhitespace(document.Text(i)));
    }
  }
  if (header_.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_HEADER",
                 "the first row is no array of column names, as shape header_row wants");
  }
  ASSIGN_OR_RETURN(std::vector<size_t> columns, BindColumns(plan_.names, header_));
  JsonPlan::Paths paths;
  for (size_t column : columns) paths.push_back({PathStep{PathStep::Kind::kIndex, "", column}});
  // The binder just read the header; what it says of it must stay true until the next Read.
  auto cells = std::make_unique<JsonBinder>(paths);
  cells->Read(*index_, token_, 0);
  binder_ = std::move(cells);
  for (size_t i = 0; i < columns.size(); ++i) fields_[i] = &binder_->field(i);
  return absl::OkStatus();
}

absl::Status JsonRowReader::GiveCells() {
  if (index_->At(token_) != '[') return GiveBad("the row is no array", Raw());
  if (binder_->width() == header_.size()) return Give(*this);
  return GiveBad(absl::StrCat("the row has ", binder_->width(), " fields, the header ", header_.size()), Raw());
}

absl::Status JsonRowReader::GiveZipped() {
  if (index_->At(token_) != '{') {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_RECORDS",
                 "shape zipped wants an object of arrays of the same length");
  }
  std::vector<JsonZip::Column> columns;
  for (size_t i = 0; i < plan_.slots.size(); ++i) {
    const JsonPlan::Slot& slot = plan_.slots[i];
    bool zipped = slot.where == JsonPlan::Where::kLevel && slot.level == plan_.row_level();
    bool there = zipped && fields_[i]->kind != Field::Kind::kMissing && fields_[i]->kind != Field::Kind::kNull;
    columns.push_back(
        {plan_.names[i], there ? binder_->token(slot.path) : JsonDocument::kNone, zipped ? nullptr : fields_[i]});
  }
  JsonZip zip(*index_, std::move(columns));
  RETURN_IF_ERROR(zip.Check());
  while (zip.Next()) RETURN_IF_ERROR(Give(zip));
  return absl::OkStatus();
}

}  // namespace chartly::drone
