#include "config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "fault.h"
#include "files.h"

namespace sut {

namespace {

using nlohmann::json;

const std::vector<std::string> kKeys = {
    "schema_version", "backend",    "model",         "dataset",     "generated_samples",
    "scenario",       "mode",       "loadgen_model", "user_conf",   "output",
    "threads",        "batch_size", "workers",       "queue_depth", "performance_sample_count",
    "options"};
const std::vector<std::string> kBackends = {"onnxruntime", "tflite", "openvino", "null"};
const std::vector<std::string> kScenarios = {"Offline", "Server", "SingleStream", "MultiStream"};
const std::vector<std::string> kModes = {"performance", "accuracy"};

// The keys of one file, taken one at a time.
class Reader {
  public:
    Reader(std::string path, json raw) : path_(std::move(path)), raw_(std::move(raw)) {}

    Harness harness() const {
        check_keys();
        if (raw_["schema_version"] != 1) throw fault("schema_version", "must be 1");
        Harness found;
        found.backend = kBackends[choice("backend", kBackends)];
        found.model = optional_text("model");
        found.dataset = optional_text("dataset");
        if (!raw_["generated_samples"].is_null()) found.generated_samples = count("generated_samples");
        found.scenario = static_cast<Scenario>(choice("scenario", kScenarios));
        found.mode = static_cast<Mode>(choice("mode", kModes));
        found.loadgen_model = text("loadgen_model");
        found.user_conf = text("user_conf");
        found.output = text("output");
        found.threads = count("threads");
        found.batch_size = count("batch_size");
        found.workers = count("workers");
        found.queue_depth = count("queue_depth");
        found.performance_sample_count = count("performance_sample_count");
        found.options = options();
        check_together(found);
        return found;
    }

  private:
    void check_keys() const {
        for (const auto& [key, value] : raw_.items())
            if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
                throw bad_input(path_, "unknown key '" + key + "'" + did_you_mean(key, kKeys));
        for (const auto& key : kKeys)
            if (!raw_.contains(key)) throw bad_input(path_, "missing key '" + key + "'");
    }

    void check_together(const Harness& found) const {
        if (found.model.has_value() == (found.backend == "null"))
            throw fault("model", "must be null with the null backend, and a path with any other");
        if (found.dataset.has_value() == found.generated_samples.has_value())
            throw fault("dataset", "exactly one of 'dataset' and 'generated_samples' must be given");
        if (found.mode == Mode::accuracy && !found.dataset)
            throw fault("mode", "accuracy needs a data set; generated inputs have no labels");
    }

    Fault fault(const std::string& key, const std::string& cause) const {
        return bad_input(path_, "'" + key + "': " + cause);
    }

    std::string text(const std::string& key) const {
        const json& value = raw_[key];
        if (!value.is_string() || value.get<std::string>().empty())
            throw fault(key, "must be a non-empty string, not " + shown(value));
        return value.get<std::string>();
    }

    std::optional<std::string> optional_text(const std::string& key) const {
        return raw_[key].is_null() ? std::nullopt : std::optional(text(key));
    }

    int64_t count(const std::string& key) const {
        const json& value = raw_[key];
        constexpr int64_t kMost = INT32_MAX;
        if (!value.is_number_integer() || value < 1 || value > kMost)
            throw fault(key, "must be a whole number of at least 1, not " + shown(value));
        return value.get<int64_t>();
    }

    size_t choice(const std::string& key, const std::vector<std::string>& known) const {
        const std::string value = text(key);
        const auto found = std::find(known.begin(), known.end(), value);
        if (found == known.end()) throw fault(key, "'" + value + "' is none of " + listed(known));
        return static_cast<size_t>(found - known.begin());
    }

    std::map<std::string, std::string> options() const {
        const json& value = raw_["options"];
        const bool good = value.is_object() && std::all_of(value.begin(), value.end(),
                                                           [](const json& item) { return item.is_string(); });
        if (!good) throw fault("options", "must be an object whose values are strings");
        return value.get<std::map<std::string, std::string>>();
    }

    static std::string shown(const json& value) {
        return value.dump(-1, ' ', true, json::error_handler_t::replace);
    }

    std::string path_;
    json raw_;
};

}  // namespace

const char* name_of(Scenario scenario) { return kScenarios[static_cast<size_t>(scenario)].c_str(); }

bool Harness::inline_queries() const {
    return scenario == Scenario::single_stream || scenario == Scenario::multi_stream;
}

int64_t Harness::lanes() const { return inline_queries() ? 1 : workers; }

int Harness::threads_per_lane() const { return static_cast<int>(std::max<int64_t>(1, threads / lanes())); }

Harness read_harness(const std::string& path) { return Reader(path, read_json_object(path)).harness(); }

std::map<std::string, std::string> chosen_options(
    const std::string& backend, const std::map<std::string, std::string>& given,
    const std::map<std::string, std::vector<std::string>>& known) {
    std::vector<std::string> names;
    std::map<std::string, std::string> chosen;
    for (const auto& [name, values] : known) {
        names.push_back(name);
        chosen[name] = values.front();
    }
    for (const auto& [name, value] : given) {
        if (name.rfind("dim.", 0) == 0) continue;
        const auto found = known.find(name);
        if (found == known.end()) {
            const std::string near = did_you_mean(name, names);
            const std::string others = names.empty() ? "none" : listed(names);
            throw Fault("options: " + backend + " has no option '" + name + "'" +
                            (near.empty() ? "; it knows " + others : near),
                        kBadInput);
        }
        if (std::find(found->second.begin(), found->second.end(), value) == found->second.end())
            throw Fault("options: '" + name + "' of " + backend + " takes one of " + listed(found->second) +
                            ", not '" + value + "'",
                        kBadInput);
        chosen[name] = value;
    }
    return chosen;
}

}  // namespace sut
