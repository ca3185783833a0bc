"""The pages of the documentation are run, block by block, as a reader would run them.

``blocks`` takes a page apart, ``runner`` runs it against an emulator over a socket, ``worlds`` holds what a page takes
for granted, ``test_pages`` runs each page, and ``python -m tests.pages`` runs them and counts.

What a block is, its fence says:

* ```` ```python ```` runs after the blocks before it, in the same names. With ``await`` it runs on the page's event
  loop; without, in a thread without a loop, as in a script: ``asyncio.run(main())`` works there.
* ```` ```python raises ```` ends with an error, which is the last that it prints: ``ValueError: text must be ...``.
* ```` ```sh ```` is run by ``sh -e``; ``aiomlcommons`` and ``python`` are those of the tests. ```` ```sh fails ````
  ends with another exit code than 0. ``MODEL_ID`` stands for the name ``model_id`` of the Python blocks, and so on.
* ```` ```text ```` or ```` ```output ```` right behind one of these, with nothing but blank lines between, is what it
  prints to standard output and standard error; ``...`` stands for anything. Elsewhere it is prose.
* ```` ```toml file=job.toml ````, of any language, is written to this file in the folder that the page runs in.
* ```` ```json ````, ``toml`` and ``yaml`` are read by their parser. ```` ```json part ```` is a part of a file.
* ```` ```console ```` is shown only, and so is ```` ```python aws ````: what a block needs that is not there is one of
  the words of ``blocks.NEEDS``. They are counted.

``OPENSEARCH_URL`` is the emulator's URL, and http://localhost:9200 in a page stands for it, in blocks and in output.
"""
