#include "control/aggregator/raw_row.h"

#include <simdjson.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

namespace od = simdjson::ondemand;
using FieldKind = chartly::Field::Kind;

absl::Status Unsupported(absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "REDRIVE_UNSUPPORTED",
               absl::StrCat("rows of this profile cannot be read from what quarantine keeps: ", why,
                            "; fetch the source again instead: chartly run start"));
}

absl::Status Unreadable(absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "ROW_UNREADABLE", why);
}

// The value that a path leads to; an error code if there is none.
simdjson::error_code Walk(od::document& document, const Path& path, od::value& value) {
  od::object root;
  if (auto error = document.get_object().get(root)) return error;
  bool first = true;
  for (const PathStep& step : path.steps()) {
    simdjson::error_code error = simdjson::SUCCESS;
    if (step.kind == PathStep::Kind::kKey) {
      error = first ? root.find_field_unordered(step.key).get(value) : value.find_field_unordered(step.key).get(value);
    } else {
      od::array array;
      error = first ? simdjson::INCORRECT_TYPE : value.get_array().get(array);
      if (!error) error = array.at(step.index).get(value);
    }
    if (error) return error;
    first = false;
  }
  return first ? simdjson::NO_SUCH_FIELD : simdjson::SUCCESS;
}

// The kind of the value, and its text: of a text unescaped, else as the source wrote it.
simdjson::error_code ReadField(od::value value, FieldKind& kind, std::string& text) {
  od::json_type type;
  if (auto error = value.type().get(type)) return error;
  std::string_view view;
  if (type == od::json_type::string) {
    kind = FieldKind::kText;
    if (auto error = value.get_string().get(view)) return error;
    text.assign(view);
    return simdjson::SUCCESS;
  }
  if (type == od::json_type::array || type == od::json_type::object) {
    kind = FieldKind::kComposite;
    if (auto error = simdjson::to_json_string(value).get(view)) return error;
  } else {
    kind = type == od::json_type::null      ? FieldKind::kNull
           : type == od::json_type::boolean ? FieldKind::kBoolean
                                            : FieldKind::kNumber;
    view = value.raw_json_token();
  }
  absl::string_view stripped = absl::StripAsciiWhitespace(absl::string_view(view.data(), view.size()));
  text.assign(stripped.data(), stripped.size());
  return simdjson::SUCCESS;
}

}  // namespace

struct RawRow::Parser {
  od::parser parser;
  simdjson::padded_string padded;
};

RawRow::RawRow(std::vector<Path> paths)
    : paths_(std::move(paths)), parser_(std::make_unique<Parser>()), fields_(paths_.size()), texts_(paths_.size()) {}

RawRow::~RawRow() = default;

absl::StatusOr<std::unique_ptr<RawRow>> RawRow::Create(const Profile& profile, const std::vector<std::string>& paths) {
  Format format = profile.source.format;
  if (format != Format::kJson && format != Format::kNdjson && format != Format::kAuto && format != Format::kGeoJson) {
    return Unsupported("only rows of JSON are kept whole");
  }
  if (profile.source.shape != RowShape::kObjects) return Unsupported("its rows are no JSON objects of their own");
  std::vector<Path> parsed;
  for (const std::string& text : paths) {
    absl::StatusOr<Path> path = Path::Parse(text);
    if (!path.ok()) return path.status();
    if (path->levels_up() > 0) return Unsupported(absl::StrCat("the field ", text, " stands outside of the row"));
    if (path->has_each()) return Unsupported(absl::StrCat("the field ", text, " is a list"));
    parsed.push_back(*std::move(path));
  }
  return std::unique_ptr<RawRow>(new RawRow(std::move(parsed)));
}

absl::Status RawRow::Read(const std::string& raw) {
  raw_ = raw;
  parser_->padded = simdjson::padded_string(raw);
  simdjson::dom::parser check;
  simdjson::dom::element whole;
  if (auto error = check.parse(parser_->padded).get(whole)) {
    return Unreadable(absl::StrCat("its raw text is no whole JSON document: ", simdjson::error_message(error)));
  }
  if (!whole.is_object()) return Unreadable("its raw text is no JSON object");
  for (size_t slot = 0; slot < paths_.size(); ++slot) {
    fields_[slot] = chartly::Field();
    od::document document;
    if (parser_->parser.iterate(parser_->padded).get(document)) return Unreadable("its raw text cannot be read");
    od::value value;
    FieldKind kind = FieldKind::kMissing;
    if (Walk(document, paths_[slot], value) || ReadField(value, kind, texts_[slot])) continue;
    fields_[slot] = {kind, texts_[slot]};
  }
  return absl::OkStatus();
}

chartly::Field RawRow::Get(size_t slot) const { return fields_[slot]; }

}  // namespace chartly::aggregator
