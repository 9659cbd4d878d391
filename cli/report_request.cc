#include "cli/report_request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/profile_files.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

absl::Status Invalid(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "INPUT_INVALID", message);
}

Json Texts(const std::vector<std::string>& texts) {
  Json array = Json::Array();
  for (const std::string& text : texts) array.Add(Json::Text(text));
  return array;
}

struct Input {
  std::string profile;
  std::vector<std::string> measures;
  std::vector<std::string> filters, dims, steps, on;
};

// "PROFILE:MEASURE,MEASURE as NAME" or "PROFILE".
absl::StatusOr<Input> ParseInput(const std::string& text, bool needs_measure) {
  Input input;
  size_t colon = text.find(':');
  input.profile = text.substr(0, colon);
  if (colon != std::string::npos) {
    input.measures = absl::StrSplit(text.substr(colon + 1), ',');
  }
  bool missing = std::any_of(input.measures.begin(), input.measures.end(),
                             [](const std::string& measure) { return measure.empty(); });
  if (input.profile.empty() || missing || (needs_measure && input.measures.empty())) {
    return Invalid(absl::StrCat("--input ", text, " must be PROFILE:MEASURE, as in sample-gdp:gdp.usd"));
  }
  return input;
}

// "PROFILE:TEXT" or "2:TEXT" is meant for one input, anything else for all.
class Addressed {
 public:
  Addressed(const std::string& text, const std::vector<Input>& inputs) : text_(text) {
    size_t colon = text.find(':');
    if (colon == std::string::npos) return;
    std::string address = text.substr(0, colon);
    size_t number = 0;
    bool by_number = absl::SimpleAtoi(address, &number) && number >= 1 && number <= inputs.size();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (by_number ? i + 1 == number : inputs[i].profile == address) meant_.push_back(i);
    }
    if (!meant_.empty()) text_ = text.substr(colon + 1);
  }
  bool is_addressed() const { return !meant_.empty(); }
  void AddTo(std::vector<Input>& inputs, std::vector<std::string> Input::*list) const {
    for (size_t i = 0; i < inputs.size(); ++i) {
      bool meant = meant_.empty() || std::find(meant_.begin(), meant_.end(), i) != meant_.end();
      if (meant) (inputs[i].*list).push_back(text_);
    }
  }

 private:
  std::string text_;
  std::vector<size_t> meant_;
};

absl::Status Distribute(const ReportOptions& options, std::vector<Input>& inputs) {
  for (const std::string& text : options.filters) Addressed(text, inputs).AddTo(inputs, &Input::filters);
  for (const std::string& text : options.dims) Addressed(text, inputs).AddTo(inputs, &Input::dims);
  for (const std::string& text : options.input_steps) {
    Addressed step(text, inputs);
    if (!step.is_addressed() && inputs.size() > 1) {
      return Invalid(absl::StrCat("--input-step ", text,
                                  " must begin with the input it is meant for: PROFILE:STEP, or "
                                  "2:STEP for the second"));
    }
    step.AddTo(inputs, &Input::steps);
  }
  for (const std::string& text : options.on) {
    Addressed on(text, inputs);
    if (!on.is_addressed()) {
      return Invalid(absl::StrCat("--on ", text,
                                  " must begin with the input it is meant for: PROFILE:LEFT=RIGHT, or "
                                  "2:LEFT=RIGHT for the second"));
    }
    on.AddTo(inputs, &Input::on);
  }
  return absl::OkStatus();
}

Json InputJson(const Input& input) {
  Json json = Json::Object();
  json.Set("profile_id", Json::Text(input.profile));
  if (input.measures.size() == 1 && !absl::StrContains(input.measures[0], " as ")) {
    json.Set("measure", Json::Text(input.measures[0]));
  } else if (!input.measures.empty()) {
    json.Set("measures", Texts(input.measures));
  }
  json.Set("filter", Texts(input.filters));
  if (!input.dims.empty()) json.Set("dims", Texts(input.dims));
  if (!input.steps.empty()) json.Set("steps", Texts(input.steps));
  if (!input.on.empty()) json.Set("on", Texts(input.on));
  return json;
}

Json OutputJson(const ReportOptions& options) {
  Json output = Json::Object();
  output.Set("type", Json::Text(options.type));
  if (options.type == "correlation" || options.method != "pearson") output.Set("method", Json::Text(options.method));
  if (!options.measures.empty()) output.Set("measures", Texts(options.measures));
  if (!options.controls.empty()) output.Set("controls", Texts(options.controls));
  if (options.lags > 0) output.Set("lags", Json::Integer(options.lags));
  if (!options.order_by.empty()) output.Set("order_by", Json::Text(options.order_by));
  if (!options.over.empty()) output.Set("over", Texts(options.over));
  if (options.confidence != 0.95) output.Set("confidence", Json::Scalar(absl::StrCat(options.confidence)));
  return output;
}

}  // namespace

void AddReportOptions(CLI::App& verb, ReportOptions& options) {
  auto list = [&verb](const char* name, std::vector<std::string>& into, const char* type, const char* help) {
    verb.add_option(name, into, help)->type_name(type)->allow_extra_args(false);
  };
  list("--join", options.join, "DIM[=DIM][ | RULE]",
       "Dim that must be equal on all sides; left=right where the names differ; rules make values alike: "
       "'geo.fips | pad_left 5 0', 'time.at | nearest 2h'. Repeatable");
  list("--input", options.inputs, "PROFILE:MEASURE[,MEASURE]", "One side: profile and measures. Repeatable");
  verb.add_option("--kind", options.kind,
                  "Which rows stay without a partner: inner none, left those of the first, outer all")
      ->check(CLI::IsMember({"inner", "left", "outer"}))
      ->type_name("KIND");
  list("--filter", options.filters, "[INPUT:]EXPR",
       "Condition on every side, or on one after PROFILE: or its number. Repeatable");
  list("--dim", options.dims, "[INPUT:]DIM", "Dim or attr to have beside those of the join. Repeatable");
  list("--on", options.on, "INPUT:LEFT=RIGHT", "Key of that input alone, in place of --join. Repeatable");
  list("--input-step", options.input_steps, "INPUT:STEP",
       "What happens to one side before it is joined: 'census:group by geo.state: sum(population)'. Repeatable");
  list("--step", options.steps, "STEP",
       "What happens to the joined rows: filter, derive, group, window, sort, top, pivot, select, regress. Repeatable");
  verb.add_option("--type", options.type, "table: the rows; correlation: how the measures go together")
      ->check(CLI::IsMember({"table", "correlation"}))
      ->type_name("TYPE")
      ->capture_default_str();
  verb.add_option("--method", options.method,
                  "The coefficient that is meant; those that cost little are in the answer anyway")
      ->check(CLI::IsMember({"pearson", "spearman", "kendall", "partial"}))
      ->type_name("METHOD")
      ->capture_default_str();
  list("--measure", options.measures, "COLUMN", "Column to correlate; all measures if none is named. Repeatable");
  list("--control", options.controls, "COLUMN", "Column whose influence a partial coefficient takes out. Repeatable");
  verb.add_option("--lags", options.lags, "Also correlate with the second measure up to so many rows earlier and later")
      ->check(CLI::Range(0, 100))
      ->type_name("N");
  verb.add_option("--order-by", options.order_by, "Column that gives the order for --lags")->type_name("COLUMN");
  list("--over", options.over, "COLUMN", "Each value of it is a series of its own for --lags. Repeatable");
  verb.add_option("--confidence", options.confidence, "Of the intervals")
      ->check(CLI::Range(0.5, 0.999999))
      ->type_name("P")
      ->capture_default_str();
  verb.add_option("--limit", options.limit, "Rows of the table at most; statistics use all")
      ->check(CLI::Range(1, 100000))
      ->type_name("N")
      ->capture_default_str();
  verb.add_option("--file", options.file,
                  "The whole question as JSON, as POST /api/reports takes it, in place of all else")
      ->type_name("FILE");
}

absl::StatusOr<Json> ReportRequestJson(const ReportOptions& options) {
  if (!options.file.empty()) {
    ASSIGN_OR_RETURN(std::string text, ReadTextFile(options.file));
    absl::StatusOr<Json> question = Json::Parse(text);
    if (!question.ok()) return Annotate(question.status(), options.file);
    return question;
  }
  if (options.inputs.empty()) return Invalid("--input is missing; name a profile and a measure: sample-gdp:gdp.usd");
  bool needs_measure = options.dims.empty() && options.input_steps.empty();
  std::vector<Input> inputs;
  for (const std::string& text : options.inputs) {
    ASSIGN_OR_RETURN(Input input, ParseInput(text, needs_measure));
    inputs.push_back(std::move(input));
  }
  RETURN_IF_ERROR(Distribute(options, inputs));
  Json array = Json::Array();
  for (const Input& input : inputs) array.Add(InputJson(input));
  Json request = Json::Object();
  request.Set("join", Texts(options.join)).Set("inputs", std::move(array));
  if (!options.kind.empty()) request.Set("kind", Json::Text(options.kind));
  if (!options.steps.empty()) request.Set("steps", Texts(options.steps));
  request.Set("window", Json::Object().Set("limit", Json::Integer(options.limit))).Set("output", OutputJson(options));
  return request;
}

}  // namespace chartly::cli
