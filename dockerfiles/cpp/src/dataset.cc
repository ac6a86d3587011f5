#include "dataset.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "fault.h"
#include "files.h"

namespace sut {

namespace {

using nlohmann::json;

const std::vector<std::string> kKeys = {"schema_version", "name",   "samples", "inputs",
                                        "labels",         "metric", "response"};
const std::vector<std::string> kResponses = {"argmax", "argmax_from_1", "mean_pool", "stacked", "raw"};
const std::vector<std::string> kMetrics = {"top1", "nn1"};
const std::string kMask = "attention_mask";

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

size_t member(const std::string& index, const json& raw, const std::string& key,
              const std::vector<std::string>& known) {
    const std::string value = raw[key].is_string() ? raw[key].get<std::string>() : raw[key].dump();
    const auto found = std::find(known.begin(), known.end(), value);
    if (found == known.end())
        throw bad_input(index, "'" + key + "': '" + value + "' is none of " + listed(known));
    return static_cast<size_t>(found - known.begin());
}

json read_index(const std::string& index) {
    const json raw = read_json_object(index);
    for (const auto& [key, value] : raw.items())
        if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
            throw bad_input(index, "unknown key '" + key + "'");
    for (const auto& key : kKeys)
        if (!raw.contains(key)) throw bad_input(index, "missing key '" + key + "'");
    if (raw["schema_version"] != 1) throw bad_input(index, "'schema_version' must be 1");
    return raw;
}

Array samples_of(const std::string& folder, const std::string& file, size_t samples) {
    const std::string path = joined(folder, file);
    Array array = read_npy(path);
    if (array.shape.empty() || static_cast<size_t>(array.shape[0]) != samples)
        throw bad_input(path, "has shape " + written(array.shape) + ", dataset.json promises " +
                                  std::to_string(samples) + " samples");
    return array;
}

std::vector<std::pair<std::string, Array>> read_inputs(const std::string& index, const std::string& folder,
                                                       const json& raw, size_t samples) {
    const auto is_input = [](const json& entry) {
        return entry.is_object() && entry.size() == 2 && entry.contains("name") &&
               entry["name"].is_string() && entry.contains("file") && entry["file"].is_string();
    };
    if (!raw.is_array() || raw.empty() || !std::all_of(raw.begin(), raw.end(), is_input))
        throw bad_input(index, R"('inputs' must be a list of {"name": ..., "file": ...})");
    std::vector<std::pair<std::string, Array>> inputs;
    for (const auto& entry : raw)
        inputs.emplace_back(entry["name"].get<std::string>(),
                            samples_of(folder, entry["file"].get<std::string>(), samples));
    return inputs;
}

std::vector<int64_t> read_labels(const std::string& index, const std::string& folder, const json& raw,
                                 size_t samples) {
    if (raw.is_null()) return {};
    if (!raw.is_string()) throw bad_input(index, "'labels' must be a file's name or null");
    const Array array = samples_of(folder, raw.get<std::string>(), samples);
    if (elements(array.shape, 1) != 1)
        throw bad_input(index, "'labels' must have one number for each sample");
    std::vector<int64_t> labels;
    for (size_t place = 0; place < samples; ++place)
        labels.push_back(static_cast<int64_t>(number_at(array.type, array.data, place)));
    return labels;
}

void check_together(const std::string& index, const Dataset& dataset, bool labelled) {
    if (dataset.metric && !labelled)
        throw bad_input(index, std::string("the metric ") + name_of(*dataset.metric) + " needs 'labels'");
    const bool classes = dataset.response == Response::argmax || dataset.response == Response::argmax_from_1;
    const bool fitting = dataset.metric == Metric::top1 ? classes : dataset.response == Response::mean_pool;
    if (dataset.metric && !fitting)
        throw bad_input(index, std::string("the metric ") + name_of(*dataset.metric) +
                                   " does not go with the response " +
                                   kResponses[static_cast<size_t>(dataset.response)]);
    if (dataset.response != Response::mean_pool) return;
    if (!dataset.mask) throw bad_input(index, "the response mean_pool needs an input 'attention_mask'");
    if (dataset.mask->shape.size() != 2)
        throw bad_input(index, "'attention_mask' must have the shape [samples, tokens]");
}

void check_fit(const std::string& where, const Array& array, const TensorSpec& spec, const Dims& wanted) {
    if (array.type != spec.type)
        throw bad_input(where, "'" + spec.name + "' is " + name_of(array.type) + ", the model wants " +
                                   name_of(spec.type));
    const Shape shape(array.shape.begin() + 1, array.shape.end());
    bool fits = shape.size() == wanted.size();
    for (size_t axis = 0; fits && axis < shape.size(); ++axis)
        fits = wanted[axis].open() || wanted[axis].size == shape[axis];
    if (!fits)
        throw bad_input(where, "a sample of '" + spec.name + "' has shape " + written(shape) +
                                   ", the model wants " + written(wanted));
}

}  // namespace

const char* name_of(Metric metric) { return kMetrics[static_cast<size_t>(metric)].c_str(); }

Dataset prepared(const std::string& folder) {
    const std::string index = joined(folder, "dataset.json");
    const json raw = read_index(index);
    const json& samples = raw["samples"];
    if (!samples.is_number_integer() || samples < 1)
        throw bad_input(index, "'samples' must be a whole number of at least 1");
    Dataset dataset;
    dataset.name = raw["name"].is_string() ? raw["name"].get<std::string>() : raw["name"].dump();
    dataset.where = index;
    dataset.samples = samples.get<size_t>();
    dataset.inputs = read_inputs(index, folder, raw["inputs"], dataset.samples);
    dataset.labels = read_labels(index, folder, raw["labels"], dataset.samples);
    if (!raw["metric"].is_null())
        dataset.metric = static_cast<Metric>(member(index, raw, "metric", kMetrics));
    dataset.response = static_cast<Response>(member(index, raw, "response", kResponses));
    for (const auto& [name, array] : dataset.inputs)
        if (!dataset.mask && ends_with(name, kMask)) dataset.mask = array;
    check_together(index, dataset, !raw["labels"].is_null());
    return dataset;
}

Dataset bound(Dataset dataset, const Signature& signature) {
    if (signature.inputs.empty()) return dataset;
    std::vector<std::pair<std::string, Array>> inputs;
    std::vector<std::string> names;
    for (const auto& [name, array] : dataset.inputs) names.push_back(name);
    std::sort(names.begin(), names.end());
    const bool single = signature.inputs.size() == 1 && dataset.inputs.size() == 1;
    for (const auto& spec : signature.inputs) {
        const auto found = std::find_if(dataset.inputs.begin(), dataset.inputs.end(), [&](const auto& input) {
            return single || input.first == spec.name;
        });
        if (found == dataset.inputs.end())
            throw bad_input(dataset.where, "has no input '" + spec.name + "'; it has " + listed(names));
        check_fit(dataset.where, found->second, spec, signature.sample_dims(spec));
        inputs.emplace_back(spec.name, found->second);
    }
    dataset.inputs = std::move(inputs);
    return dataset;
}

}  // namespace sut
