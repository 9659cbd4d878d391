#include "drone/suggest/suggest.h"

#include <algorithm>
#include <functional>
#include <set>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"
#include "drone/decode/decoder.h"
#include "drone/suggest/profile_text.h"
#include "drone/suggest/row_shape.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxKeyFields = 4;
constexpr size_t kKeyCandidates = 10;

// Looks at every row through the decoder that will read them later, so that what it finds is what the profile gives.
class SurveySink final : public RowSink {
 public:
  explicit SurveySink(size_t columns) : columns_(columns) {}
  absl::Status OnRow(const Row& row, uint32_t) override {
    ++rows_;
    for (size_t slot = 0; slot < columns_.size(); ++slot) columns_[slot].Add(row.Get(slot));
    return absl::OkStatus();
  }
  absl::Status OnBadRow(absl::string_view, absl::string_view, absl::string_view, uint32_t) override {
    ++bad_rows_;
    return absl::OkStatus();
  }
  const std::vector<ColumnSurvey>& columns() const { return columns_; }
  int64_t rows() const { return rows_; }
  int64_t bad_rows() const { return bad_rows_; }

 private:
  std::vector<ColumnSurvey> columns_;
  int64_t rows_ = 0;
  int64_t bad_rows_ = 0;
};

struct Candidate {
  size_t field;  // index of Suggestion::fields
  const std::vector<uint64_t>* hashes;
  double preference;
};

bool IsUnique(const std::vector<const std::vector<uint64_t>*>& columns) {
  const size_t rows = columns[0]->size();
  absl::flat_hash_set<uint64_t> seen;
  seen.reserve(rows);
  for (size_t row = 0; row < rows; ++row) {
    uint64_t hash = 0;
    for (const std::vector<uint64_t>* column : columns) hash = absl::HashOf(hash, (*column)[row]);
    if (!seen.insert(hash).second) return false;
  }
  return true;
}

// The smallest set of dims that tells all rows apart, the likelier ones first.
std::vector<size_t> FindKey(std::vector<Candidate> candidates) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.preference > b.preference; });
  if (candidates.size() > kKeyCandidates) candidates.resize(kKeyCandidates);
  std::vector<size_t> chosen;
  std::function<bool(size_t, size_t)> search = [&](size_t from, size_t left) {
    if (left == 0) {
      std::vector<const std::vector<uint64_t>*> columns;
      for (size_t index : chosen) columns.push_back(candidates[index].hashes);
      return IsUnique(columns);
    }
    for (size_t i = from; i + left <= candidates.size(); ++i) {
      chosen.push_back(i);
      if (search(i + 1, left - 1)) return true;
      chosen.pop_back();
    }
    return false;
  };
  for (size_t size = 1; size <= std::min(kMaxKeyFields, candidates.size()); ++size) {
    if (!search(0, size)) continue;
    std::vector<size_t> fields;
    for (size_t index : chosen) fields.push_back(candidates[index].field);
    return fields;
  }
  return {};
}

void MakeTargetsDistinct(std::vector<SuggestedField>& fields) {
  std::set<std::string> taken;
  for (SuggestedField& field : fields) {
    std::string base = field.to;
    // Two times of a row: the first is what it is about, others keep the names of their columns.
    if (field.is_time && taken.count(absl::StrCat(FieldRolePrefix(field.role), ".", base)) > 0) {
      base = absl::StrCat("time.", TargetName(field.from));
      field.to = base;
    }
    for (int n = 2; !taken.insert(absl::StrCat(FieldRolePrefix(field.role), ".", field.to)).second; ++n) {
      field.to = absl::StrCat(base, "_", n);
    }
  }
}

// How long a cache may keep the answer: looking more often shows nothing new.
absl::Duration IntervalOf(const SuggestInput& input, std::vector<std::string>& notes) {
  constexpr absl::Duration kLeast = absl::Minutes(1);
  auto control = input.headers.find("cache-control");
  if (control != input.headers.end()) {
    for (absl::string_view part : absl::StrSplit(control->second, ',')) {
      part = absl::StripAsciiWhitespace(part);
      int64_t seconds = 0;
      if (!absl::ConsumePrefix(&part, "max-age=") || !absl::SimpleAtoi(part, &seconds) || seconds <= 0) continue;
      notes.push_back(absl::StrCat("schedule: the publisher lets caches keep the answer for ", seconds, " s"));
      return std::clamp(absl::Seconds(seconds), kLeast, absl::Hours(24));
    }
  }
  if (input.type == SourceType::kFile) return absl::Hours(1);
  notes.push_back("schedule: nothing tells how often the data changes; once a day is a polite guess");
  return absl::Hours(24);
}

std::string IdOf(absl::string_view address) {
  absl::string_view name = address.substr(0, address.find_first_of("?#"));
  while (absl::ConsumeSuffix(&name, "/")) {
  }
  name = name.substr(name.rfind('/') + 1);
  std::string id;
  for (char c : absl::AsciiStrToLower(name.substr(0, name.rfind('.')))) {
    if (absl::ascii_isalnum(c)) {
      id.push_back(c);
    } else if (!id.empty() && id.back() != '-') {
      id.push_back('-');
    }
  }
  id = id.substr(0, 50);
  while (!id.empty() && id.back() == '-') id.pop_back();
  return id.empty() ? "source" : id;
}

void DropEmptyColumns(const SurveySink& sink, const RowShapeGuess& guess, Suggestion& suggestion,
                      std::vector<size_t>& columns) {
  std::vector<std::string> empty;
  for (size_t i = 0; i < guess.paths.size(); ++i) {
    const ColumnSurvey& column = sink.columns()[i];
    if (column.values() == 0 || column.IsComposite()) {
      empty.push_back(guess.paths[i]);
      continue;
    }
    suggestion.fields.push_back(SuggestField(guess.paths[i], column));
    columns.push_back(i);
  }
  if (!empty.empty()) {
    empty.resize(std::min<size_t>(empty.size(), 8));
    suggestion.notes.push_back(absl::StrCat("left out, for they hold no value here: ", absl::StrJoin(empty, ", ")));
  }
}

void ChooseKey(const SurveySink& sink, const std::vector<size_t>& columns, Suggestion& suggestion) {
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < suggestion.fields.size(); ++i) {
    const SuggestedField& field = suggestion.fields[i];
    const ColumnSurvey& column = sink.columns()[columns[i]];
    bool complete = column.values() == column.rows() && column.rows() == static_cast<int64_t>(column.hashes().size());
    if (field.role != FieldRole::kDim || !complete || column.rows() == 0) continue;
    double preference = (field.is_id ? 2.0 : 0) + (field.is_time ? 1.5 : 0) + field.confidence;
    candidates.push_back({i, &column.hashes(), preference});
  }
  for (size_t field : FindKey(std::move(candidates))) suggestion.key.push_back(suggestion.fields[field].to);
  std::sort(suggestion.key.begin(), suggestion.key.end());
  if (suggestion.key.empty()) {
    suggestion.notes.push_back(
        "key: no set of dims tells all rows apart; all dims are the key, and rows that are equal in "
        "them count as versions of one record");
  }
}

// Something must become a dim: the likeliest text, or the row would be about nothing.
void EnsureDim(Suggestion& suggestion) {
  auto is_dim = [](const SuggestedField& field) { return field.role == FieldRole::kDim; };
  if (suggestion.fields.empty() || std::any_of(suggestion.fields.begin(), suggestion.fields.end(), is_dim)) return;
  auto text = std::find_if(suggestion.fields.begin(), suggestion.fields.end(),
                           [](const SuggestedField& field) { return field.role == FieldRole::kAttr; });
  SuggestedField& chosen = text == suggestion.fields.end() ? suggestion.fields.front() : *text;
  chosen.role = FieldRole::kDim;
  chosen.type.clear();
  chosen.confidence = 0.3;
  chosen.why = "nothing else says what a row is about";
}

}  // namespace

absl::StatusOr<Suggestion> SuggestProfile(const SuggestInput& input) {
  ASSIGN_OR_RETURN(RowShapeGuess guess, GuessRowShape(input.payload, input.content_type, input.address));
  ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder, Decoder::Create(guess.source, guess.paths));
  SurveySink sink(guess.paths.size());
  TextBody body(input.payload);
  ASSIGN_OR_RETURN(DecodeResult decoded, decoder->Decode(body, input.content_type, input.address, sink));
  Suggestion suggestion;
  suggestion.shape = guess.why;
  suggestion.rows = decoded.rows;
  std::vector<size_t> columns;
  DropEmptyColumns(sink, guess, suggestion, columns);
  if (suggestion.fields.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_ROWS", "the rows of this payload hold no values");
  }
  EnsureDim(suggestion);
  MakeTargetsDistinct(suggestion.fields);
  ChooseKey(sink, columns, suggestion);
  if (sink.bad_rows() > 0) {
    suggestion.notes.push_back(absl::StrCat(sink.bad_rows(), " rows could not be read and would go to quarantine"));
  }
  double sum = 0;
  for (const SuggestedField& field : suggestion.fields) sum += field.confidence;
  suggestion.confidence = guess.confidence * sum / static_cast<double>(suggestion.fields.size());
  ProfileText text;
  text.id = input.id.empty() ? IdOf(input.address) : input.id;
  text.type = input.type;
  text.address = input.address;
  text.source = guess.source;
  text.interval = IntervalOf(input, suggestion.notes);
  text.payload_bytes = static_cast<int64_t>(input.payload.size());
  text.rows = suggestion.rows;
  suggestion.yaml = WriteProfile(text, suggestion);
  return suggestion;
}

}  // namespace chartly::drone
