"""The four names that the reference BERT harness takes from its DeepLearningExamples submodule.

The submodule is large and this is all that is used of it; transformers carries a port of the same code.
"""

from transformers.models.bert.tokenization_bert import BasicTokenizer, whitespace_tokenize

__all__ = ["BasicTokenizer", "convert_to_unicode", "printable_text", "whitespace_tokenize"]


def convert_to_unicode(text: "str | bytes") -> str:
    """Text as it is, bytes as UTF-8."""
    return text if isinstance(text, str) else text.decode("utf-8", "ignore")


printable_text = convert_to_unicode
